"""What the class numbers of a COCO detector are called: 80 of the numbers 1 to 90 are in use."""

from __future__ import annotations

# Numbers as in the COCO 2017 annotations; the gaps are classes that the data set dropped.
LABELS: dict[int, str] = {
    number: name
    for first, names in {
        1: "person bicycle car motorcycle airplane bus train truck boat traffic_light fire_hydrant",
        13: "stop_sign parking_meter bench bird cat dog horse sheep cow elephant bear zebra giraffe",
        27: "backpack umbrella",
        31: "handbag tie suitcase frisbee skis snowboard sports_ball kite baseball_bat baseball_glove skateboard "
        "surfboard tennis_racket bottle",
        46: "wine_glass cup fork knife spoon bowl banana apple sandwich orange broccoli carrot hot_dog pizza donut "
        "cake chair couch potted_plant bed",
        67: "dining_table",
        70: "toilet",
        72: "TV laptop mouse remote keyboard cell_phone microwave oven toaster sink refrigerator",
        84: "book clock vase scissors teddy_bear hair_drier toothbrush",
    }.items()
    for number, name in enumerate((word.replace("_", " ") for word in names.split()), start=first)
}
