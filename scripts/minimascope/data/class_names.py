"""Classes of the sources whose classes are known before their files are read.

Sources of recordings are none of them. No torch is imported here.
"""

from collections.abc import Mapping

from .characters import DIGITS, LETTERS

# Of the radius 1, and of a smaller one.
CIRCLES = ("outer", "inner")
# As the official archives name them (Krizhevsky 2009), in the order of their labels.
CIFAR10 = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
_CIFAR100 = """
    apple aquarium_fish baby bear beaver bed bee beetle bicycle bottle bowl boy bridge bus
    butterfly camel can castle caterpillar cattle chair chimpanzee clock cloud cockroach couch
    crab crocodile cup dinosaur dolphin elephant flatfish forest fox girl hamster house kangaroo
    keyboard lamp lawn_mower leopard lion lizard lobster man maple_tree motorcycle mountain
    mouse mushroom oak_tree orange orchid otter palm_tree pear pickup_truck pine_tree plain
    plate poppy porcupine possum rabbit raccoon ray road rocket rose sea seal shark shrew skunk
    skyscraper snail snake spider squirrel streetcar sunflower sweet_pepper table tank telephone
    television tiger tractor train trout tulip turtle wardrobe whale willow_tree wolf woman worm
"""
CIFAR100 = tuple(_CIFAR100.split())
# By the name of the source.
CLASSES: Mapping[str, tuple[str, ...]] = {
    "digits": tuple(DIGITS),
    "digit_styles": tuple(DIGITS),
    "letters": tuple(LETTERS),
    "circles": CIRCLES,
    "cifar10": CIFAR10,
    "cifar100": CIFAR100,
}
