# Evaluates the case() calls of cases.R and writes one list of records, records.rds; runs in a
# folder that has them and record.R.
source("record.R")
suppressPackageStartupMessages(library(splines))  # for bs() and ns(), written as people write them
records <- list()
case <- function(id, data, formula, glm, arguments) {
  records[[id]] <<- record(data, formula, glm, arguments)
}
sys.source("cases.R", envir = environment(), keep.source = FALSE)
saveRDS(records, "records.rds", compress = FALSE)
