# Writes lexical.rds, the record of the notebooks: a made-up lexical decision experiment.
#
#   Rscript lexical.R   (in this folder; R 4.2.2 with lme4 1.1-31 wrote the file that is here)
set.seed(1)
d <- expand.grid(subject = sprintf("S%02d", 1:24), item = sprintf("I%02d", 1:40), stringsAsFactors = FALSE)
d$condition <- factor(ifelse((as.integer(substr(d$subject, 2, 3)) + as.integer(substr(d$item, 2, 3))) %% 2 == 0, "primed", "unprimed"))
d$type <- factor(c("word", "nonword", "pseudoword")[as.integer(substr(d$item, 2, 3)) %% 3 + 1])
d$logfreq <- round(log(1 + as.integer(substr(d$item, 2, 3)) * 7 %% 53), 3)
b0 <- rnorm(24, 0, 0.08); b1 <- rnorm(24, 0, 0.03); i0 <- rnorm(40, 0, 0.05)
s <- as.integer(substr(d$subject, 2, 3)); i <- as.integer(substr(d$item, 2, 3))
p <- ifelse(d$condition == "primed", 1, -1)
d$logrt <- round(6.4 + b0[s] + (-0.03 + b1[s]) * p + i0[i] - 0.02 * d$logfreq + rnorm(nrow(d), 0, 0.15), 4)
d$logrt[sample(nrow(d), 31)] <- NA
f <- logrt ~ condition * type + scale(logfreq) + (condition | subject) + (1 | item)
sums <- list(condition = "contr.sum", type = "contr.sum")
lf <- lme4::lFormula(f, d, contrasts = sums)
saveRDS(list(data = d, lf = lf), "lexical.rds", compress = "xz")
fit <- lme4::lmer(f, d, contrasts = sums)
print(lme4::REMLcrit(fit), digits = 10)
