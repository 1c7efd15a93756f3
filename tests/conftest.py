import os

# Chooses the kernels, before tests load numpy and torch.
import minimascope  # noqa: F401

# Tests run side by side, on networks so small that threads would only wait for each other.
os.environ.setdefault("OMP_NUM_THREADS", "1")
