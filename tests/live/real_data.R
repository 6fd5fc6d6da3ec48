# Records lme4's matrices for its own data sets, whole: Rscript real_data.R REPOSITORY TARGET
arguments <- commandArgs(TRUE)
source(file.path(arguments[1], "fixtures/record.R"))
cases <- list(
  list(InstEval, "y ~ service + (1 | s) + (1 | d)", FALSE),
  list(InstEval, "y ~ service * lectage + studage + (1 | s) + (1 | d) + (1 | dept:service)", FALSE),
  list(InstEval, "y ~ 0 + dept + (1 + service | d) + (1 | s)", FALSE),
  list(VerbAgg, "r2 ~ (Anger + Gender + btype + situ)^2 + (1 | id) + (1 | item)", TRUE),
  list(VerbAgg, "r2 ~ Gender * situ + (1 + situ || id) + (btype | item)", TRUE),
  list(Arabidopsis, "total.fruits ~ nutrient * amd + rack + status + (amd * nutrient | popu) + (1 | gen)", FALSE),
  list(grouseticks, "TICKS ~ YEAR + scale(HEIGHT) + (1 | BROOD) + (1 | INDEX) + (1 | LOCATION)", TRUE)
)
answers <- lapply(cases, function(case) {
  arguments <- if (case[[3]]) list(family = if (is.factor(case[[1]][[all.vars(as.formula(case[[2]]))[1]]])) "binomial" else "poisson") else list()
  record(case[[1]], case[[2]], case[[3]], arguments)
})
saveRDS(answers, arguments[2])
