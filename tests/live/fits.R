# Fits what lme4py exported with the lines of docs/exports.md, and what lFormula itself made, in
# the same way; tests/live/test_exports.py calls it with a folder of pairs K_own.rds, K_ours.rds.
suppressPackageStartupMessages(library(lme4))
folder <- commandArgs(TRUE)[1]

fit_linear <- function(lf) {
  devfun <- do.call(mkLmerDevfun, lf)
  mkMerMod(environment(devfun), optimizeLmer(devfun), lf$reTrms, lf$fr)
}
fit_generalized <- function(lf) {
  devfun <- do.call(mkGlmerDevfun, lf)
  opt <- optimizeGlmer(devfun)
  devfun <- updateGlmerDevfun(devfun, lf$reTrms)
  mkMerMod(environment(devfun), optimizeGlmer(devfun, stage = 2), lf$reTrms, lf$fr)
}
numbers <- function(fit, data) {
  anew <- tryCatch(predict(fit, newdata = data, allow.new.levels = TRUE), error = conditionMessage)
  list(fixef = unname(fixef(fit)), theta = unname(getME(fit, "theta")), loglik = c(logLik(fit)),
       df = attr(logLik(fit), "df"), sigma = sigma(fit), fitted = unname(fitted(fit)),
       ranef = unname(unlist(ranef(fit, condVar = FALSE))), varcorr = as.data.frame(VarCorr(fit)),
       labels = names(fixef(fit)), anew = unname(anew), weights = weights(fit),
       formula = deparse1(formula(fit)), groups = ngrps(fit), rows = rownames(model.frame(fit)))
}
answer <- function(name) {
  own <- readRDS(file.path(folder, paste0(name, "_own.rds")))
  lf <- own$lf
  ours <- readRDS(file.path(folder, paste0(name, "_ours.rds")))
  stopifnot(packageVersion("lme4") >= ours$lme4)
  general <- is.null(lf$REML)
  if (general) ours$family <- do.call(ours$family$family, list(link = ours$family$link))
  fit <- if (general) fit_generalized else fit_linear
  capture.output(print(summary(mine <- fit(ours))))
  path <- file.path(folder, paste0(name, "_text"))
  source(file.path(path, "read_design.R"), local = TRUE)
  text <- read_design(path)
  text$family <- ours$family
  text <- fit(text)
  list(own = numbers(fit(lf), own$data), ours = numbers(mine, own$data),
       text = list(fixef = unname(fixef(text)), theta = unname(getME(text, "theta")),
                   loglik = c(logLik(text)), sigma = sigma(text), fitted = unname(fitted(text))))
}
names <- sub("_own.rds", "", list.files(folder, "_own.rds"), fixed = TRUE)
answers <- sapply(names, simplify = FALSE, function(name) {
  suppressWarnings(suppressMessages(tryCatch(answer(name), error = conditionMessage)))
})
saveRDS(answers, file.path(folder, "answers.rds"))
