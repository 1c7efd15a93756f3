"""torch's own optimisers, under the names of the configuration."""

from functools import partial

from torch.optim import SGD, Adam, AdamW, RMSprop

# One kernel per step over all parameters instead of one per parameter.
sgd = partial(SGD, foreach=True)
adam = partial(Adam, foreach=True)
adamw = partial(AdamW, foreach=True)
rmsprop = partial(RMSprop, foreach=True)
