"""The diffusion engine.

The matrix library of processors by Intel rounds products by the number of threads, unless it is
told otherwise before its first product: then several workers would not give the vectors of one.
"""

import os

os.environ.setdefault("MKL_CBWR", "AUTO,STRICT")
