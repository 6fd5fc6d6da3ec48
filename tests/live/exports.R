# Reads what lme4py exported, three ways, and tells where they differ; test_exports.py calls it.
suppressPackageStartupMessages({ library(Matrix) })
arguments <- commandArgs(TRUE)
folder <- arguments[1]

# The .npz by base R alone, as docs/exports.md shows.
read_npz <- function(path, names) {
  sapply(names, simplify = FALSE, function(name) {
    file <- unz(path, paste0(name, ".npy"), "rb")
    on.exit(close(file))
    size <- readBin(readBin(file, "raw", 10)[9:10], "integer", 1, 2, FALSE, "little")
    header <- rawToChar(readBin(file, "raw", size))
    field <- function(pattern) sub(paste0(".*", pattern, ".*"), "\\1", header)
    shape <- as.numeric(strsplit(field("'shape': \\(([^)]*)\\)"), ",")[[1]])
    type <- field("'descr': '([^']*)'")
    what <- if (grepl("f8", type)) "double" else if (grepl("u1", type)) "raw" else "integer"
    width <- as.numeric(sub("\\D*", "", type))
    count <- prod(shape)
    values <- if (width == 8 && what == "integer") {
      # R has no 64-bit integers: two halves of 32 bits.
      halves <- readBin(file, "integer", 2 * count, 4, endian = "little")
      halves[c(TRUE, FALSE)]
    } else {
      readBin(file, what, count, width, endian = "little")
    }
    if (length(shape) == 2) matrix(values, shape[1], byrow = !grepl("'fortran_order': True", header))
    else values
  })
}

reading <- function(number) {
  rds <- readRDS(file.path(folder, paste0(number, ".rds")))
  path <- file.path(folder, paste0(number, ".mtx"))
  source(file.path(path, "read_design.R"), local = TRUE)
  mtx <- read_design(path)
  npz <- read_npz(file.path(folder, paste0(number, ".npz")),
                  c("X", "Zt_data", "Zt_indices", "Zt_indptr", "Zt_shape", "theta", "Lind"))
  z <- rds$reTrms$Zt
  bare <- function(x) matrix(as.vector(x), nrow(x))
  stopifnot(validObject(z), validObject(rds$reTrms$Lambdat))
  same <- c(
    X = identical(bare(rds$X), bare(mtx$X)), X_npz = identical(bare(rds$X), bare(npz$X)),
    names = identical(colnames(rds$X), colnames(mtx$X)) || !ncol(rds$X),
    Zt = identical(z, mtx$reTrms$Zt),
    Zt_npz = identical(list(z@x, z@i, z@p, z@Dim),
                       unname(npz[c("Zt_data", "Zt_indices", "Zt_indptr", "Zt_shape")])),
    Lambdat = identical(rds$reTrms$Lambdat, mtx$reTrms$Lambdat),
    theta = identical(rds$reTrms$theta, mtx$reTrms$theta) && identical(npz$theta, mtx$reTrms$theta),
    Lind = identical(rds$reTrms$Lind, mtx$reTrms$Lind) && identical(npz$Lind + 1L, mtx$reTrms$Lind),
    Gp = identical(rds$reTrms$Gp, mtx$reTrms$Gp), lower = identical(rds$reTrms$lower, mtx$reTrms$lower),
    flist = identical(lapply(rds$reTrms$flist, unclass), lapply(mtx$reTrms$flist, unclass)),
    assign = identical(attr(rds$reTrms$flist, "assign"), attr(mtx$reTrms$flist, "assign")),
    cnms = identical(rds$reTrms$cnms, mtx$reTrms$cnms), nl = identical(rds$reTrms$nl, mtx$reTrms$nl),
    y = identical(as.vector(rds$y), as.vector(mtx$y)),
    weights = identical(rds$weights, mtx$weights), offset = identical(rds$offset, mtx$offset)
  )
  list(different = names(same)[!same], X = bare(rds$X), Zt = mtx$reTrms$Zt,
       Lambdat = mtx$reTrms$Lambdat)
}

answers <- lapply(seq_len(as.integer(arguments[2])) - 1L, reading)

saveRDS(answers, file.path(folder, "answers.rds"))
