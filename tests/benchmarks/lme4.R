# One measurement of live lme4: Rscript lme4.R FORMULA DIRECTORY ROWS REPEAT WARM name=levels ...
# Prints CPU seconds per build and the peak memory of R's heap above the input, in bytes.
arguments <- commandArgs(trailingOnly = TRUE)
suppressPackageStartupMessages(library(lme4))
directory <- arguments[2]
rows <- as.integer(arguments[3])
repeats <- as.integer(arguments[4])
columns <- list()
for (item in strsplit(arguments[-(1:5)], "=", fixed = TRUE)) {
  levels <- as.integer(item[2])
  path <- file.path(directory, paste0(item[1], ".bin"))
  if (levels > 0) {
    codes <- readBin(path, "integer", rows, size = 4) + 1L
    texts <- sprintf(paste0(item[1], "_%0", nchar(levels), "d"), seq_len(levels) - 1L)
    columns[[item[1]]] <- structure(codes, levels = texts, class = "factor")
  } else {
    columns[[item[1]]] <- readBin(path, "double", rows, size = 8)
  }
}
data <- as.data.frame(columns)
formula <- as.formula(arguments[1])
tiny <- data.frame(y = c(1, 2, 4, 3, 6), x = c(0, 1, 0, 2, 3), g = factor(c(1, 1, 2, 2, 2)))
invisible(lFormula(y ~ x + (1 | g), tiny))
if (repeats > 1) invisible(lFormula(formula, data))
# Memory that was used before is fetched faster by a virtual machine.
invisible(rep(1, as.integer(arguments[5])))
before <- sum(gc(reset = TRUE)[, 2]) * 2^20
cpu <- sum(proc.time()[1:2])
for (i in seq_len(repeats)) built <- lFormula(formula, data)
cpu <- sum(proc.time()[1:2]) - cpu
memory <- gc()
peak <- sum(memory[, ncol(memory)]) * 2^20 - before
cat(sprintf('{"cpu": %.9f, "peak": %.0f, "outputs": 0}\n', cpu / repeats, peak))
