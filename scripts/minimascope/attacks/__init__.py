"""Adversarial examples: the smallest changes of inputs that fool a network.

Radii are in the units in which a user sees the inputs: pictures as fractions of their range,
log-mels and points as they are. A network's own normalisation is a part of the network.
"""
