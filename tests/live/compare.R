# Evaluates a file of case() calls and writes one list of records.
#   Rscript compare.R <repository> <cases.R> <records.rds>
arguments <- commandArgs(TRUE)
source(file.path(arguments[1], "fixtures", "record.R"))
suppressPackageStartupMessages(library(splines))  # for bs() and ns(), written as people write them
records <- list()
case <- function(id, data, formula, glm, arguments) {
  records[[id]] <<- record(data, formula, glm, arguments)
}
sys.source(arguments[2], envir = environment(), keep.source = FALSE)
saveRDS(records, arguments[3], compress = FALSE)
