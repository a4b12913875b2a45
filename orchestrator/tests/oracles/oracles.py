"""What SciPy says of the inputs on standard input, as JSON."""

import json
import sys

from scipy.stats import mannwhitneyu, ttest_ind

asked = json.load(sys.stdin)
json.dump(
    {
        "welch": [float(ttest_ind(a, b, equal_var=False).pvalue) for a, b in asked["pairs"]],
        "ranks": [float(mannwhitneyu(a, b, method="exact").pvalue) for a, b in asked["pairs"]],
    },
    sys.stdout,
)
