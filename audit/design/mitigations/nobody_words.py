"""Words around a noun for people that show that it is nobody: things, animals, artificial ones."""

from __future__ import annotations

import re

from audit.design.mitigations.gate_words import THINGS
from audit.design.mitigations.lexicon import listed

ARTIFICIAL = frozenset(
    """
    robot robots robotic android androids cyborg mannequin mannequins doll dolls puppet puppets toy
    toys lego plush plushie figurine figurines statue statues sculpture sculptures bust busts
    scarecrow snowman gingerbread skeleton skeletons cardboard inflatable animatronic emoji
    emojis icon icons logo action-figure minifigure playmobil barbie funko bobblehead marionette
    wooden clockwork ai waxwork wax plastic clay origami balloon mascot automaton
    nutcracker ragdoll droid droids golem paper papercut hologram stickman voodoo
    terracotta ceramic plaster porcelain bronze marble stone felt knitted crochet crocheted
    stuffed chocolate paper-mache papier mache tin pewter resin yarn foam sandstone
    granite alabaster
    """.split()
)
"""Words for things in the shape of people, before the noun or as what is `of` a person."""
SHAPES = frozenset(
    """
    statue statues sculpture sculptures bust busts doll dolls figurine figurines toy toys mannequin
    mannequins puppet puppets costume costumes mask masks emoji emojis icon icons logo logos plush
    plushie scarecrow grave tomb gravestone tombstone memorial tattoo stamp
    coin cookie cake ornament magnet uniform uniforms clothes clothing shoes boots
    hat hats bobblehead monument statuette skeleton skull helmet armor armour jacket coat tools
    hologram robot android waxwork relief symbol emblem figure model sticker clipart minifigure
    cutout cutouts idol totem effigy snowman carving carvings shadow ghost
    house home office desk car workshop studio bedroom kitchen lair shop
    """.split()
)
"""Things `of` a person that show no person."""
ANIMALS = frozenset(
    """
    dog dogs puppy cat cats kitten bear bears rabbit bunny fox owl penguin monkey ape gorilla
    chimpanzee chimp orangutan pig piglet horse pony donkey mouse mice rat hamster frog toad duck
    goose parrot bird crow raven lion lioness tiger wolf panda raccoon sloth otter squirrel corgi
    poodle labrador retriever beagle bulldog dachshund pug husky dalmatian chihuahua terrier
    spaniel goat sheep lamb cow bull llama alpaca camel elephant giraffe zebra hippo rhino
    kangaroo koala crocodile alligator lizard gecko snake turtle tortoise dinosaur dragon unicorn
    octopus squid shark whale dolphin seal walrus crab lobster snail bee ant spider butterfly
    hedgehog badger beaver mole bat deer moose elk reindeer chicken rooster hen turkey pigeon
    seagull eagle hawk falcon swan flamingo peacock alien aliens monster zombie goblin orc elf
    fairy ghost banana avocado cactus carrot tomato potato pumpkin mushroom pineapple pickle donut
    teapot toaster skeleton robot robots android mannequin scarecrow snowman doll puppet toy
    meerkat lemur capybara axolotl ferret weasel hyena leopard cheetah jaguar panther lynx
    tabby kitty pup hound sheepdog shiba teddy
    minion gingerbread statue
    """.split()
)
"""Who is not human, and may be dressed as someone."""
BODY_PARTS = frozenset(
    """
    face faces hand hands eye eyes portrait portraits headshot smile head hair profile silhouette
    back arm arms finger fingers feet foot lips mouth nose gaze expression figure body shoulder
    shoulders palm palms photo photograph selfie
    """.split()
)
"""What may be a person's in a possessive, with the person in the image."""
THING_PAIRS = re.compile(
    r"^(?:(?:record|cd|dvd|mp3|cassette|tape|media|music|video|blu-ray) players?|(?:coffee"
    r"|ice|waffle"
    r"|popcorn|pasta|noise|rice|soda|label|bread) makers?|(?:vacuum|air|pipe|drain|glass) cleaners?"
    r"|(?:card|barcode|code|e-book|ebook) readers?|(?:wire|pipe|cookie|box|glass|paper) cutters?"
    r"|(?:hard|flash|disk|slave|golf) drivers?|(?:weed|nose|hedge) trimmers?|burger kings?"
    r"|dairy queens?|(?:smoke|metal) detectors?|(?:price|dog) trackers?)$"
)
"""Agent nouns that are things with the word before them."""
WITH_ANIMALS = re.compile(
    r"(?:walker|fisher|fisherman|breeder|trainer|groomer|hunter|tamer|keeper|catcher|handler|rider|jockey|rancher"
    r"|herder|trapper|dyer|grower|picker|forager|wrangler|spotter|peeler|shucker|whisperer|lover|owner|sitter|farmer|photographer|watcher|butcher|seller|fancier"
    r"|behaviorist|behaviourist|psychologist|nutritionist|cafe owner|shearer|milker"
    r"|driver|charmer|vet|veterinarian|vendor|racer|rescuer|buster|slayer|illustrator"
    r"|enthusiast|expert|collector|exorcist|researcher|biologist)s?$"
)
"""What people do with animals: a dog walker, but a dog detective."""
WITH_THINGS = re.compile(
    r"(?:maker|collector|designer|operator|repairer|seller|dealer|builder|carver|mason|sculptor"
    r"|restorer|expert|surgeon|worker|artist|cutter|merchant|painter|engineer|scientist|researcher"
    r"|developer|programmer|technician|specialist|ethicist|pilot|vendor|inspector|enthusiast|fan"
    r"|historian|twister|inventor|analyst|appraiser|thrower|polisher|miner|skipper|smith|fitter|setter"
    r"|wright|crafter|turner|whittler|weaver|taster|gardener|waller)s?$"
)
"""What people do with artificial things: a doll maker, a plastic surgeon."""
_NOT_REAL = frozenset(
    "robot robots android androids cyborg zombie golem droid droids skeleton".split()
)
_FORMED = re.compile(
    r"\b(?:(?:stick|action) figure|stained[- ]glass|wind-up|(?:3-?d|three-d)[- ]printed|clone|funko"
    r"|(?:needle-)?felted|cross-stitched|chess(?: \w+)?|claymation|topiary|marzipan|fondant|wicker"
    r"|muppet|straw|sprite|holographic|pumpkin-headed|replicant)(?: [\w-]+)?$"
)
"""Ways in which figures are made, and what they are made of."""


def formed(before: str, noun: str) -> str:
    """How a figure is made, if the text before a noun, in lower case, says that it is one."""
    found = _FORMED.search(before)
    chess = found is not None and found.group().startswith("chess")
    if found is None or WITH_THINGS.search(noun) or (chess and not _ARMED.fullmatch(noun)):
        return ""
    return found.group()


_ARMED = re.compile(r"soldiers?|knights?|warriors?|bishops?")


def stands_in(word: str, noun: str, beside: bool) -> str:
    """`animal` or `artificial` if a word before a noun shows that; nothing for a human.

    `beside` tells whether it is the last one: of the many names of animals, only that counts, and
    only before nouns that do not say what someone does to an animal.
    """
    if word in ARTIFICIAL:
        return "artificial" if word in _NOT_REAL or not WITH_THINGS.search(noun) else ""
    being = word in listed("beings")
    if WITH_ANIMALS.search(noun) and (beside or not being):
        return ""
    rare = beside and word in listed("animals") and not re.search(r"(?:er|or|ist)s?$", noun)
    if word in ANIMALS or rare:
        return "animal"
    return "artificial" if being else ""


_THING = re.compile(rf"(?:{THINGS})")


def is_thing(word: str) -> bool:
    """Whether a word after a noun for a person makes it the name of a thing or an animal."""
    return bool(_THING.fullmatch(word))
