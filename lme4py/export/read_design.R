# Reads the folder that lme4py wrote beside this script. Needs nothing but the Matrix package:
#
#   source("read_design.R"); lf <- read_design(".")
#
# The list has the components of lme4's lFormula: fr (the response with weights and offset), X,
# reTrms (Zt, theta, Lind, Gp, lower, Lambdat, flist, cnms, nl, and since lme4 2.0 ord, par,
# upper, reCovs), REML or family, y, weights, offset, and the version of lme4 that fitting it
# needs. Positions count from 1, as R's do.
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
  model <- table_of("model", colClasses = "character")
  X <- as.matrix(matrix_of("X"))
  dimnames(X) <- list(NULL, columns$name)
  attr(X, "assign") <- columns$assign
  # What autoscale or check.scaleX took off the columns, and divided them by.
  changed <- function(numbers, rest) if (any(numbers != rest)) setNames(numbers, columns$name)
  attr(X, "scaled:center") <- changed(columns$center, 0)
  attr(X, "scaled:scale") <- changed(columns$scale, 1)
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
  # How lme4 makes theta of par since 2.0; older versions have free parameters only.
  reCovs <- if (requireNamespace("lme4", quietly = TRUE) && packageVersion("lme4") >= "2.0") {
    lapply(seq_len(nrow(terms)), function(k) {
      hom <- if (terms$covariance[k] != "us") list(hom = terms$hom[k] == "True")
      class <- getClass(paste0("Covariance.", terms$covariance[k]), where = asNamespace("lme4"))
      do.call(methods::new, c(list(class, nc = terms$columns[k]), hom))
    })
  }
  y <- as.matrix(response[grepl("^y[0-9]*$", names(response))])
  y <- if (ncol(y) == 1L) as.vector(y) else if (ncol(y)) unname(y)
  weights <- response$weights
  offset <- response$offset
  fr <- if (!is.null(y)) {
    eval(bquote(model.frame(y ~ 1, weights = .(weights), offset = .(offset), na.action = na.pass)))
  }
  if (!is.null(fr)) attr(fr, "formula") <- as.formula(model$formula, globalenv())
  list(
    fr = fr, X = X,
    reTrms = list(
      Zt = Zt, theta = table_of("theta", colClasses = "numeric")$theta,
      Lind = table_of("Lind")$Lind + 1L, Gp = c(terms$first_row, nrow(Zt)), lower = bounds$lower,
      Lambdat = matrix_of("Lambdat"), flist = flist, cnms = cnms,
      nl = setNames(terms$levels, terms$group), ord = terms$order + 1L, par = bounds$par,
      upper = bounds$upper, reCovs = reCovs
    ),
    REML = if (nzchar(model$REML)) model$REML == "True",
    family = if (nzchar(model$family)) list(family = model$family, link = model$link),
    y = y, weights = weights, offset = offset,
    lme4 = if (any(terms$covariance %in% c("cs", "ar1"))) "2.0" else "1.1"
  )
}
