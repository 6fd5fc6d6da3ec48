"""R's mixed-model formulas as lme4's matrices."""
