"""Model frame to X and Zt, as lme4 lays them out."""
