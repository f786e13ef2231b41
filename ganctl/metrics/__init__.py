"""Evaluation in layers that know nothing of training: samples → features → statistics → numbers.

1. **Samples** (`sample_sets`): real or generated ones as stored, read in chunks. Generated images are rounded to
   bytes as real ones are, so that no metric sees a difference of type.
2. **Extractors** (`extractor`, `features/`): from a chunk to features and, where there are classes, logits.
3. **Statistics** (`statistics`): what metrics read, collected in one pass; those of real samples are cached on
   disk (`tensor_cache`).
4. **Metrics** (`metric`, a module a kind): from both sides' statistics to numbers. Where a metric has no meaning
   (too few samples, no labels, points), one line reports that before a sample is read.
5. **Comparison** (`comparison`): all metrics at once, and the real-vs-real baseline.

Short formulas are written out here and tested against torch-fidelity, SciPy, scikit-learn or closed forms.
"""

from ganctl.metrics.comparison import Baseline, Comparison, Numbers
from ganctl.metrics.extractor import EXTRACTORS, Extracted, Extractor, FeatureExtractor, Reference
from ganctl.metrics.metric import METRICS, Metric
from ganctl.metrics.sample_sets import Samples, of_store, of_tensor, parted
from ganctl.metrics.statistics import Statistics
from ganctl.registry import import_members

__all__ = [
    "EXTRACTORS",
    "METRICS",
    "Baseline",
    "Comparison",
    "Extracted",
    "Extractor",
    "FeatureExtractor",
    "Metric",
    "Numbers",
    "Reference",
    "Samples",
    "Statistics",
    "of_store",
    "of_tensor",
    "parted",
]

import_members(__name__)
