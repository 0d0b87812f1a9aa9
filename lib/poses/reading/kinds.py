"""Whether the name of a class or data set says that its things are no people."""

import re

_ANIMALS = """
animal animals animalpose animalkingdom ap10k apt36k macaque monkey gorilla chimpanzee horse horse10 dog cat bird cow
sheep goat pig elephant bear zebra giraffe mouse rat rabbit fly locust fish lion tiger quadruped
"""
_THINGS = "deepfashion deepfashion2 clothes car vehicle truck bus bicycle face 300w 300wlp wflw aflw cofw lapa"
_OTHERS = frozenset((*_ANIMALS.split(), *_THINGS.split()))


def no_person(name: object) -> bool:
    """A name of animals, things, or of faces alone, as data sets and classes have."""
    return isinstance(name, str) and bool(_OTHERS & set(re.findall(r"[a-z0-9]+", name.lower())))
