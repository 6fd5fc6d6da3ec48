# Evaluates the case() calls of cases.R with R's model.matrix; runs where compare.R does.
source("record.R")
suppressPackageStartupMessages(library(splines))
records <- list()
case <- function(id, data, formula, glm, arguments) {
  records[[id]] <<- record_matrix(data, formula, arguments)
}
sys.source("cases.R", envir = environment(), keep.source = FALSE)
saveRDS(records, "records.rds", compress = FALSE)
