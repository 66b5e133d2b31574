"""The class names of the published data sets, as published and in that order.

VOC's and CamVid's stand in ``palettes``. Each list ends where the data set's own does:
class 0 is the first name.
"""

from __future__ import annotations


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",")]


# PASCAL-Context (Mottaghi et al. 2014): the 59 most frequent classes of its several
# hundred, after "background", which is everything else. VOC's 21 stand first.
CONTEXT_CLASSES = _names(
    "background, aeroplane, bicycle, bird, boat, bottle, bus, car, cat, chair, cow, "
    "diningtable, dog, horse, motorbike, person, pottedplant, sheep, sofa, train, "
    "tvmonitor, bag, bed, bench, book, building, cabinet, ceiling, clothes, computer, "
    "cup, door, fence, floor, flower, food, grass, ground, keyboard, light, mountain, "
    "mouse, curtain, platform, sign, plate, road, rock, shelves, sidewalk, sky, snow, "
    "bedcloth, track, tree, truck, wall, water, window, wood"
)

# What three of them are called in the full list that comes with the labels.
CONTEXT_RENAMES = {"diningtable": "table", "bedcloth": "bedclothes", "clothes": "cloth"}

# NYUDv2's 40 classes (Gupta, Arbelaez and Malik 2013); the spelling is theirs.
NYUD_CLASSES = _names(
    "wall, floor, cabinet, bed, chair, sofa, table, door, window, bookshelf, picture, "
    "counter, blinds, desk, shelves, curtain, dresser, pillow, mirror, floor mat, "
    "clothes, ceiling, books, refridgerator, television, paper, towel, shower curtain, "
    "box, whiteboard, person, night stand, toilet, sink, lamp, bathtub, bag, "
    "otherstructure, otherfurniture, otherprop"
)

# SIFT Flow (Liu, Yuen and Torralba 2011), and its geometry (Tighe and Lazebnik 2010).
SIFTFLOW_CLASSES = _names(
    "awning, balcony, bird, boat, bridge, building, bus, car, cow, crosswalk, desert, "
    "door, fence, field, grass, moon, mountain, person, plant, pole, river, road, "
    "rock, sand, sea, sidewalk, sign, sky, staircase, streetlight, sun, tree, window"
)
SIFTFLOW_GEOMETRY = _names("sky, horizontal, vertical")

# Cityscapes (Cordts et al. 2016): the 19 classes that are scored, by their train ids,
# and the id that each has in the label files.
CITYSCAPES_CLASSES = _names(
    "road, sidewalk, building, wall, fence, pole, traffic light, traffic sign, "
    "vegetation, terrain, sky, person, rider, car, truck, bus, train, motorcycle, "
    "bicycle"
)
CITYSCAPES_IDS = (7, 8, 11, 12, 13, 17, *range(19, 29), 31, 32, 33)

# ADE20K's scene parsing benchmark (Zhou et al. 2017): of each class's synonyms in
# objectInfo150.txt the first.
ADE20K_CLASSES = _names(
    "wall, building, sky, floor, tree, ceiling, road, bed, windowpane, grass, "
    "cabinet, sidewalk, person, earth, door, table, mountain, plant, curtain, chair, "
    "car, water, painting, sofa, shelf, house, sea, mirror, rug, field, armchair, "
    "seat, fence, desk, rock, wardrobe, lamp, bathtub, railing, cushion, base, box, "
    "column, signboard, chest of drawers, counter, sand, sink, skyscraper, fireplace, "
    "refrigerator, grandstand, path, stairs, runway, case, pool table, pillow, screen "
    "door, stairway, river, bridge, bookcase, blind, coffee table, toilet, flower, "
    "book, hill, bench, countertop, stove, palm, kitchen island, computer, swivel "
    "chair, boat, bar, arcade machine, hovel, bus, towel, light, truck, tower, "
    "chandelier, awning, streetlight, booth, television, airplane, dirt track, "
    "apparel, pole, land, bannister, escalator, ottoman, bottle, buffet, poster, "
    "stage, van, ship, fountain, conveyer belt, canopy, washer, plaything, swimming "
    "pool, stool, barrel, basket, waterfall, tent, bag, minibike, cradle, oven, ball, "
    "food, step, tank, trade name, microwave, pot, animal, bicycle, lake, dishwasher, "
    "screen, blanket, sculpture, hood, sconce, vase, traffic light, tray, ashcan, "
    "fan, pier, crt screen, plate, monitor, bulletin board, shower, radiator, glass, "
    "clock, flag"
)
