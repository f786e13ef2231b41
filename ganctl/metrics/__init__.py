"""Evaluation in layers that know nothing of training: features → statistics → number.

1. **Samples** (`samples`): real or generated ones as they rest in a store, read in chunks. Generated pictures
   are rounded to bytes as real ones are, so that no metric can tell the two by their type.
2. **Extractors** (`extractor`, one module each; `configs/metric/features/`): from a chunk to features and, where
   there are classes, logits. `raw` takes values as they are, `classifier` is taught the data's own labels and
   works offline, `torchvision` and `inception` are networks of others, with weights from a file. Each states
   its dimension, a digest of architecture and weights, what it takes, its resizer and precision.
3. **Statistics** (`statistics`): what metrics read, collected in one pass: mean and covariance merged chunk by
   chunk in float64, features and logits in float32 where a metric asks for them. Those of real samples are kept
   on disk under the digest of the samples and the extractor.
4. **Metrics** (`metric`, a module a kind; `configs/metric/`): from both sides' statistics to numbers. A metric
   says beforehand, and in one line, where it has no meaning: too few samples, no labels, points.
5. **Measuring** (`measure`): any metrics at once, the same of a part of the real data beside the rest (the
   floor), and Student's interval over seeds.

Formulas that take a few lines are written out here and checked in the tests against torch-fidelity, SciPy,
scikit-learn or closed forms: torch-fidelity is an extra that only `inception` needs.

Importing the package fills the tables `EXTRACTORS` and `METRICS`.
"""

from ganctl.metrics.comparison import Comparison, Floor, Interval, Numbers, interval
from ganctl.metrics.extractor import EXTRACTORS, Extractor, FeatureExtractor, Surroundings
from ganctl.metrics.metric import METRICS, Metric
from ganctl.metrics.samples import Samples, of_store, of_tensor, parted
from ganctl.metrics.statistics import Statistics, collect
from ganctl.registry import import_members

__all__ = [
    "EXTRACTORS",
    "METRICS",
    "Comparison",
    "Extractor",
    "FeatureExtractor",
    "Floor",
    "Interval",
    "Metric",
    "Numbers",
    "Samples",
    "Statistics",
    "Surroundings",
    "collect",
    "interval",
    "of_store",
    "of_tensor",
    "parted",
]

import_members(__name__)
