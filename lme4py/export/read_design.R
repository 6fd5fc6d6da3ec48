# Reads the folder that lme4py wrote beside this script. Needs nothing but the Matrix package:
#
#   source("read_design.R"); lf <- read_design(".")
#
# The list has the components of lme4's lFormula: X, reTrms (Zt, theta, Lind, Gp, lower,
# Lambdat, flist, cnms, nl), and y, weights, offset. Positions count from 1, as R's do.
read_design <- function(folder) {
  table_of <- function(name, ...) {
    file <- file.path(folder, paste0(name, ".csv"))
    # A file of no columns is one empty line.
    if (file.size(file) <= 1) return(list())
    read.csv(file, check.names = FALSE, na.strings = character(), encoding = "UTF-8", ...)
  }
  matrix_of <- function(name) {
    as(Matrix::readMM(file.path(folder, paste0(name, ".mtx"))), "CsparseMatrix")
  }
  text <- c(name = "character", term = "character", level = "character", column = "character",
            label = "character", group = "character", covariance = "character")
  columns <- table_of("columns", colClasses = text[c("name", "term")])
  effects <- table_of("effects", colClasses = text[c("level", "column")])
  terms <- table_of("terms", colClasses = text[c("label", "group", "covariance")])
  levels <- table_of("levels", colClasses = text[c("group", "level")])
  codes <- table_of("codes")
  response <- table_of("response", colClasses = "numeric")
  bounds <- table_of("bounds", colClasses = "numeric")
  X <- as.matrix(matrix_of("X"))
  dimnames(X) <- list(NULL, columns$name)
  attr(X, "assign") <- columns$assign
  Zt <- matrix_of("Zt")
  dimnames(Zt) <- list(effects$level, NULL)
  flist <- lapply(seq_along(codes), function(k) {
    code <- codes[[k]]
    structure(ifelse(code < 0L, NA_integer_, code + 1L),
              levels = levels$level[levels$factor == k - 1L], class = "factor")
  })
  names(flist) <- unique(levels$group)
  attr(flist, "assign") <- terms$factor + 1L
  first <- match(seq_len(nrow(terms)) - 1L, effects$term)
  cnms <- lapply(seq_len(nrow(terms)), function(k) {
    effects$column[first[k] + seq_len(terms$columns[k]) - 1L]
  })
  names(cnms) <- terms$group
  y <- as.matrix(response[grepl("^y[0-9]*$", names(response))])
  list(
    X = X,
    reTrms = list(
      Zt = Zt, theta = table_of("theta", colClasses = "numeric")$theta,
      Lind = table_of("Lind")$Lind + 1L, Gp = c(terms$first_row, nrow(Zt)), lower = bounds$lower,
      Lambdat = matrix_of("Lambdat"), flist = flist, cnms = cnms,
      nl = setNames(terms$levels, terms$group)
    ),
    y = if (ncol(y) == 1L) as.vector(y) else if (ncol(y)) unname(y),
    weights = response$weights, offset = response$offset
  )
}
