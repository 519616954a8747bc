"""Nouns for people, and the words around a noun that show that it is nobody.

The nouns are those of `people_nouns.txt`, made from WordNet by `docs/making/people.py`, and those
below that WordNet lacks or puts behind another sense. Everything is in lower case.
"""

from __future__ import annotations

import re
from functools import cache

from audit.design.mitigations.gate_words import GENDERED
from audit.design.mitigations.lexicon import SHORTEST, listed, marked, slips, unknown

MORE = frozenset(
    """
    picker puller quilter groomer sweep warden clown server
    agent notary billionaire millionaire critic installer human inspector operative pundit
    barkeep bellhop clown mime juggler trooper busker ranger lobbyist delegate envoy
    heir executor trustee juror witness suspect culprit fugitive hostage victim survivor bystander
    onlooker spectator attendee participant contestant finalist rookie amateur expert novice
    accountant acrobat activist actor actress actuary admiral adolescent adult aid aide analyst
    anesthesiologist animator anthropologist apprentice archaeologist archer architect assistant
    astronaut athlete attendant auctioneer aviator baby backpacker bailiff baker ballerino
    banker barber barista barrister bartender beader beatboxer beautician beekeeper biker
    biologist blacksmith blogger bodybuilder bodyguard boilermaker bookbinder bookkeeper bosun
    botanist boxer breakdancer brewer bricklayer broker builder bureaucrat busker busser butcher
    buyer caddie cadet calligrapher camper captain cardiologist caregiver carer caretaker
    carpenter cartographer cartoonist cashier caterer cellist ceo ceramicist cfo champion
    chauffeur cheerleader cheesemaker chef chemist chief child chocolatier choreographer citizen
    classmate cleaner clerk climber clown co-worker coach coder colleague colonel comedian comic
    commander commuter composer concierge constable consultant contortionist contractor convict
    cop copywriter coroner corporal cosmonaut cosplayer courier coworker crabber crewmate
    crewmember criminal criminologist croupier cryptographer cto curator customer cyclist dancer
    daredevil deckhand decorator defender dentist deputy dermatologist designer detective
    developer diplomat director dishwasher distiller diver dj docker dockworker doctor
    doorkeeper doula driver drummer ecologist economist editor electrician emcee employee emt
    engineer entrepreneur epidemiologist esthetician ethicist executive explorer falconer fan
    farmer farmhand farmworker fashionista fencer fiancee fighter filmmaker fire-eater
    firefighter fisher flatmate florist follower foreigner forester freelancer gamekeeper gamer
    gardener general geneticist geographer geologist ghostwriter glassblower glazier goalie
    goalkeeper golfer goth graduate grandparent grocer grower guard guest guide guitarist gunner
    gymnast hacker hairdresser hairstylist handler helmsman helper herbalist herder hermit hiker
    hippie hipster historian hitchhiker homeowner host housekeeper housemate hygienist
    illusionist illustrator immigrant impressionist infant infantryman influencer inspector
    instructor intern interpreter inventor investor ironworker janitor jeweler jeweller jockey
    jogger journalist juggler kayaker keeper kickboxer kid knitter laborer labourer lawyer
    lecturer lexicographer librarian lieutenant lifeguard linguist locksmith logger logician
    longboarder lumberjack luthier machinist mage magician magistrate mahout maintainer major
    manager marshal mason masseur mathematician mayor mc mechanic medalist medallist medic
    mentor merchant metalworker meteorologist midwife millworker mime miner minister model
    mountaineer mover muralist musician naturalist navigator neighbor neighbour nerd neurologist
    neuroscientist newcomer nomad notary novelist nurse nutritionist oceanographer officer
    olympian oncologist operator optician organizer orphan orthodontist owner oysterer
    paediatrician painter paleontologist panelist paralegal paralympian paramedic paratrooper
    parent partner passenger passerby pathologist patient patissier patron pedestrian
    pediatrician pensioner performer perfumer person pharmacist philosopher photographer
    physician physicist physiotherapist pianist pilgrim pilot pirate pitcher pizzaiolo plasterer
    player playwright plumber podcaster poet politician popstar porter potter preacher
    preschooler presenter president principal prisoner producer professional professor
    programmer proofreader protester psychiatrist psychologist punk puppeteer purser
    quadriplegic quarterback radiographer radiologist ranger rapper realtor receptionist recruit
    referee refugee reporter researcher resident restaurateur retiree rider rigger rockstar
    roofer roommate runner sailor salesperson sapper saxophonist scaffolder scholar scientist
    scout screenwriter sculptor seafarer seamster secretary seismologist senator senior serf
    sergeant server sheriff shopkeeper shopper shrimper sibling singer skateboarder skater skier
    skipper skydiver smith sniper snowboarder socialite sociologist soldier solicitor somebody
    someone sommelier sous-chef specialist speechwriter spokesperson spouse sprinter spy
    statistician steelworker stevedore steward stockbroker stonemason storyteller streamer
    striker student stylist submariner superintendent superstar surfer surgeon surveyor survivor
    swimmer tailor tattooer tattooist taxidermist teacher teammate technician technologist teen
    teenager telemarketer teller theologian therapist tiler toddler tourist townsperson
    toxicologist trader trainee trainer translator trapezist traveler traveller trawlerman
    treasurer triplet trombonist trucker trumpeter tutor twin typesetter umpire undertaker
    upholsterer urologist usher vagabond valet vampire vegan vendor ventriloquist vet veteran
    veterinarian videographer villager violinist violist virologist vlogger volcanologist
    volunteer voter waitperson wanderer warehouseman warrior watchmaker weaver welder
    whistleblower winemaker wizard woodcarver woodworker worker wrestler writer yogi youngster
    youth youtuber zookeeper zoologist
    """.split()
)
"""People's nouns that WordNet lacks, or gives after another sense."""

NOT_PEOPLE = frozenset(
    """
    scissor hood calculator scanner printer watercolor watercolour monitor viewer pastel render
    sketch drawing minimalist expressionist
    impressionist surrealist cubist portrait still short double
    adder affine african amber american anti antique arb asian badger bagger bailer balker
    batter bean bear beater binder bird black blimp blond blonde boarder body boob border brave
    brick broad brown buff buffer bug bugger buggy bullet bunny bunter bust buzzard camper
    canary cat catch champ character charge cherub chicken chit choice chum clipper clone closer
    coaster cog coiner comber comer computer concert cooker coot corner counter crab cracker
    crank creature creep cub cuckoo cutter damper dasher dead deadwood dear decoy dicer digger
    diner disaster dodo dog drawer dredger drill drone dry duck dud dummy dust duster dutch
    eagle earner eater edger egg ember english equal eraser escalator ethnic european extra face
    fatality feeler figure filler finder fink fire firebrand fish fixture flamer flash flier
    floater flower fodder fossil french freshener fryer gas gem german ghoul giver glider gob
    gold goose gopher grader grind grinder gull hack hand hanger have heap heart heater heavy
    heel hispanic hog hulk hunk hybrid idol image indian iron item jack jade jewel jumper kin
    lacer lamb lancer latin lead leaker light limner lion liver loader locker looker loon lulu
    machine mark maroon mate mercury mixer mobile mod modern monster mortal mouse mouthpiece mug
    native negative neon nob number oiler oracle original own padder panel party peach peeler
    peeper peer pen penguin petter pig pill pillar pincher pivot plater plier plug
    plunger pooler pop poser possessor post power prairie prey primary processor projector prop
    punch quad queen raiser ranker rat rattler reaper relief rest return ringer ripper
    riser roaster rocker roller rose round router rover ruler rusher safe sage salt saltshaker
    sapling scooter scorcher screen screw scrubber second seed shaker shark sharp shaver sheep
    shelter shifter shocker shower shredder shrew shrimp shutter sifter signature silly silver
    single singleton sinker skeleton slammer slate sleeper slicer slider snail snake sniffer
    snipe snorter softener softy sore sort source spark specimen sphinx spider spinner sponge
    spook spreader sprinkler square squirt stacker stamper stapler star starter statue steamer
    steer stick sticker stiff stoker stopper straight strainer stripe stroke stroller stud
    subject sucker summer support swallow sweeper sweetheart swift switch tackle tag talent tank
    taper tapper target tart teaser temp tender thing tiger timer tinker tinter toaster
    topper torch total tough tracker trailer transfer treasure tree triple tripper trojan trump
    tweeter type unknown value vapor vermin vessel vine wag warbler washer wasp waste water
    weasel weeper whale whaler white whiz whizz winder winker wiper wit wonder worm worthy wreck
    yellow zero zombie
    """.split()
)
"""Nouns of WordNet's list that mean something else in most prompts."""
PLURAL_ONLY = {"people": "person", "children": "child", "men": "man", "women": "woman",
               "wives": "wife", "thieves": "thief", "persons": "person", "folks": "person",
               "midwives": "midwife", "housewives": "housewife", "youths": "youth",
               "kids": "kid", "police": "officer", "passersby": "passerby"}  # fmt: skip
CROWDS = frozenset(
    """
    crowd crowds family families couple couples audience orchestra congregation choir jury mob
    team teams crew crews squad squads gang gangs troop troops army armies community band bands
    everyone everybody humanity public parade duo trio quartet ensemble siblings twins triplets
    newlyweds parents grandparents
    """.split()
)
"""Nouns for several people at once."""
COMPANY = frozenset("family families couple couples parents grandparents twins triplets".split())
"""Those that count beside another person; others are onlookers or an institution then."""
_AGENTS = re.compile(
    r"(?:ologist|ographer|onomist|atrician|ician|keeper|monger|worker|maker|smith|wright|herder"
    r"|person|preneur|tender|player|walker|driver|seller|hunter|catcher|trainer|cleaner|singer"
    r"|dancer|fighter|jumper|diver|fixer|teacher|coach|nurse|doctor|chef|painter|writer|reader"
    r"|builder|farmer|runner|racer|rider|lover|enthusiast|expert|artist|influencer|officer|warden|pilot"
    r"|(?<!m)(?<!f)(?<!w)(?<!l)ist)$"
)
"""Endings that show a person in a noun that no list has."""
_NO_AGENT = re.compile(
    r"(?:^|[ -])(?:coffeemaker|checklist|playlist|wishlist|mist|moonwalker|screwdriver|waist|twist"
    r"|wrist|heist|gist|hoist|moist|list|cyst|tryst|grist|typewriter|skywriter|e-reader|noisemaker"
    r"|bumper|housekeeping|bartending|soulmate)$"
)
_DOER = re.compile(r"[a-z]{3,}(?:er|or|ist|eer)$")

CLASSIFYING = frozenset(
    """
    civil electrical mechanical chemical nuclear medical dental legal financial social public real
    general chief executive registered certified licensed chartered practical physical
    occupational clinical surgical veterinary military naval federal national royal municipal
    industrial agricultural environmental structural aeronautical biomedical marine martial
    professional amateur freelance commercial corporate personal private fast special
    vice associate assistant deputy high elementary primary secondary middle kindergarten
    undergraduate graduate postdoctoral doctoral academic classical contemporary jazz olympic
    paralympic digital technical creative artistic graphic fine urban rural theoretical
    applied molecular quantum forensic criminal cosmetic plastic orthopedic pediatric neonatal
    cardiac psychiatric geriatric veterinary mental human natural
    domestic foreign diplomatic political religious cultural editorial scientific mathematical
    electronic audio visual wild solar stand-up self-employed live online virtual
    remote internal external senior junior head lead master cyber solar antique crypto
    nautical theatrical homicide political secret
    """.split()
)
"""Adjectives that name a kind of person, so what is stated goes before them: a female civil
engineer."""
ORIGINS = re.compile(
    r"^(?:(?:chin|japan|vietnam|portugu|nepal|senegal|tai?wan|leban|malt|burm|sudan|congol)ese"
    r"|(?:brit|engl|span|dan|swed|finn|pol|turk|ir|scott|jew|flem|kurd)ish"
    r"|(?:indi|ital|rus|russ|ind|nige|niger|brazil|canad|austral|austr|egypt|syr|pers|iran|armen"
    r"|georg|ukrain|hungar|roman|bulgar|serb|croat|alban|eston|latv|lithuan|norweg|belg|colomb"
    r"|peruv|bolivi|chile|argentin|venezuel|jamaic|hait|ethiop|ken|ghana|tanzan|ugand|zamb"
    r"|indones|malays|cambod|mongol|as|europe|afric|americ|palestin|jord|tunis|alger|liby|keny"
    r"|scandinav|caribbe|asi|ital|hawai|cuba|polynes|maced|boliv|lib|guatemal|ecuador|morocc"
    r"|rwand|angol|zimbabwe|mozambic|cameroon|eritre|gamb|maurit|namib|malaw|gabon|sloven|bosn"
    r"|moldov|catal|sicil|bavar|tusc|venet|tex|californ|alask|uruguay|paraguay|salvador|hondur"
    r"|nicaragu|panaman|baham|trinidad|domin|ric|lank|fij|samo|tong|tibet|lao|singapore|ital)i?an"
    r"|french|german|greek|dutch|thai|swiss|welsh|czech|iraqi|israeli"
    r"|afghan|saudi|emirati|kuwaiti|yemeni|omani|qatari|bangladeshi|bengali|punjabi|nepali|filipin[oa]"
    r"|icelandic|greenlandic|malagasy|azerbaijani|kazakh|uzbek|tajik|turkmen|kyrgyz|slovak|serb|croat"
    r"|montenegrin|cypriot|basque|breton|quebecois|maori|inuit|sami|berber|bedouin|tamil|sikh"
    r"|pakistani|somali|american|african|mexican|korean|cuban|german|roman|catholic|buddhist|jewish"
    r"|muslim|hindu|christian)$"
)


_PLAIN_ENDING = re.compile(r"(?:ed|ful|less|ous|able|ible|like|some|proof|ish|id)$")


def describes(word: str, is_adjective: bool) -> bool:
    """Whether a word describes a person rather than naming a kind of person."""
    if word in listed("seeming_adjectives"):
        return False
    ending, mark = _PLAIN_ENDING.search(word), marked("adjectives").get(word)
    return (
        mark == ""
        or bool(mark and is_adjective)
        or bool(ending and (is_adjective or len(word) > 6))
    )


@cache
def _listed() -> dict[str, str]:
    rows = marked("people_nouns").items()
    found = {
        noun: mark for noun, mark in rows if noun not in NOT_PEOPLE and not ORIGINS.match(noun)
    }
    found |= {noun: found.get(noun, "") for noun in MORE}
    found.pop("black belt", None)
    return found | _EXTRA


_EXTRA = {
    "parent": "", "spouse": "", "sibling": "", "grandparent": "", "stay-at-home parent": "",
    "hero": "", "child": "", "monk": "m", "drag queen": "f", "boy": "m", "girl": "f", "man": "m",
    "woman": "f", "gentleman": "m", "lady": "f", "guy": "m", "dude": "m", "bro": "m", "gal": "f",
    "lad": "m", "lass": "f", "diva": "f", "mistress": "f", "master": "m", "cowboy": "m",
    "cowgirl": "f", "witch": "f", "wizard": "m", "warlock": "m", "nun": "f", "friar": "m",
    "midwife": "", "masseur": "m", "ballerina": "f", "samurai": "m", "ninja": "", "geisha": "f",
    "knight": "", "viking": "", "gladiator": "m", "pharaoh": "", "shaman": "", "dj": "", "mc": "",
    "lumberjack": "m", "handyman": "m", "priest": "", "bishop": "", "rabbi": "", "imam": "m",
    "pope": "m", "sultan": "m", "emir": "m", "sheikh": "m", "sheik": "m", "widow": "f",
    "widower": "m", "bride": "f", "groom": "m", "bridesmaid": "f", "housewife": "f",
    "businessman": "m", "businesswoman": "f", "mom": "f", "mum": "f", "dad": "m", "mommy": "f",
    "grandma": "f", "grandpa": "m", "granny": "f", "beauty queen": "f", "tomboy": "f",
    "bachelor": "m", "bachelorette": "f", "prince": "m", "princess": "f", "king": "m",
    "queen": "f", "duchess": "f", "duke": "m", "maid": "f", "mermaid": "f", "merman": "m",
    "goddess": "f", "god": "m", "chieftain": "m", "angel investor": "", "headmaster": "m",
    "crone": "f", "hag": "f", "gent": "m", "muezzin": "m", "abbot": "m", "abbess": "f",
    "transwoman": "f", "transman": "m", "femme": "f", "matador": "m", "torero": "m",
    "chairman": "m", "fireman": "m", "milf": "f", "sumo wrestler": "m", "choirboy": "m",
    "schoolboy": "m", "schoolgirl": "f", "boyfriend": "m", "girlfriend": "f", "husband": "m",
    "wife": "f", "countess": "f", "count": "m", "baroness": "f", "baron": "m", "empress": "f",
    "emperor": "m", "starlet": "f", "showgirl": "f", "tsar": "m", "tsarina": "f", "heroine": "f",
    "hostess": "f", "seamstress": "f", "governess": "f", "nanny": "", "au pair": "",
    "surrogate": "f",
    "expectant mother": "f", "doorman": "m", "bellboy": "m", "busboy": "m", "patriarch": "m",
    "matriarch": "f", "alderman": "m", "human": "", "human being": "", "homo sapiens": "",
    "individual": "", "pop star": "", "rock star": "", "movie star": "", "film star": "",
    "rugby star": "", "tennis star": "", "basketball star": "", "football star": "", "tv host": "",
    "opera star": "", "fashion model": "", "runway model": "",
    "couch potato": "", "bookworm": "", "night owl": "", "sous chef": "", "head chef": "",
    "flight attendant": "", "police officer": "", "mail carrier": "", "letter carrier": "",
    "head of state": "", "prime minister": "", "member of parliament": "", "firefighter": "",
    "superhero": "", "supervillain": "", "villain": "", "news anchor": "", "tv anchor": "",
    "television anchor": "", "anchorperson": "",
    "stable hand": "", "farm hand": "", "ranch hand": "", "stage hand": "", "deck hand": "",
    "cabin crew member": "", "crew member": "", "team member": "", "staff member": "",
    "family member": "", "band member": "", "gang member": "", "board member": "", "member": "",
}  # fmt: skip
"""Nouns with the gender that they state, where WordNet's glosses leave it open or get it wrong."""


def singular(word: str) -> str:
    """The singular of a plural noun, by spelling; a word without a plural's ending is returned."""
    if word in PLURAL_ONLY:
        return PLURAL_ONLY[word]
    if word.endswith(("women", "men")):
        return word[:-2] + "an"
    if word.endswith("people"):
        return word[:-6] + "person"
    if word.endswith("ies") and len(word) > 4:
        return word[:-3] + "y"
    if re.search(r"(?:ss|x|ch|sh)es$", word):
        return word[:-2]
    return word[:-1] if word.endswith("s") and not word.endswith("ss") else word


def is_person(noun: str) -> bool:
    """Whether a noun in the singular, of one or more words, means a person."""
    return noun in _listed() or (
        noun in GENDERED - {"miss", "her", "his"} and noun not in NOT_PEOPLE
    )


@cache
def meant(word: str) -> str:
    """The noun for a person of which an unknown word is a misspelt form, or nothing: `surgoen`."""
    formed = re.search(r"(?:s|ed|ing|ly)$", word)
    if formed or len(word) < SHORTEST or word in NOT_PEOPLE or not unknown(word):
        return ""
    return min((w for w in slips(word) if len(w) >= SHORTEST and w in _listed()), default="")


def has_agent_ending(noun: str) -> bool:
    """Whether an unlisted noun looks like one for what people do, such as `gongfarmer`."""
    return bool(_AGENTS.search(noun) and not _NO_AGENT.search(noun)) and noun not in NOT_PEOPLE


def relates(adjective: str) -> bool:
    """Whether an adjective has no sense but "pertaining to": `postal`."""
    return adjective in listed("relational") and adjective not in ("human", "gentile")


def also_thing(noun: str) -> bool:
    """Whether a noun for a person has another sense, which is a thing: `crook`."""
    return "t" in _listed().get(noun, "") or is_gadget(noun)


def is_gadget(noun: str) -> bool:
    """Whether a noun that ends like one for what people do is one for a thing."""
    return noun in marked("gadgets") or noun in _NEW_GADGETS or noun in NOT_PEOPLE


def is_only_gadget(noun: str) -> bool:
    """Whether a noun that ends like one for what people do never means a person: `clover`."""
    return marked("gadgets").get(noun) == ""


def is_agent(noun: str) -> bool:
    """Whether a noun ends like those for what people or gadgets do."""
    return bool(_DOER.fullmatch(noun))


def may_do(noun: str) -> bool:
    """Whether an unlisted noun means a person if the text says that it does what people do."""
    return bool(_DOER.fullmatch(noun)) and noun not in NOT_PEOPLE


def is_doer(noun: str) -> bool:
    """Whether a noun that no dictionary has is one for what people do: `upcycler`."""
    return may_do(noun) and not is_gadget(noun)


_NEW_GADGETS = frozenset(
    """
    router blender charger tracker stroller scooter smartwatch airfryer browser folder server
    docker poster banner sticker flyer trailer teaser avatar sensor rotor drone
    quadcopter multicopter e-scooter chatter ladder cleaver
    shooter twister smoker air-fryer sweater jumper blazer bomber loafer
    sneaker slipper bunker chopper dumpster roadster speedster hamster
    """.split()
)
"""Things of later years, or with other first senses."""


def gender_of(noun: str) -> str:
    """`f` or `m` if a noun in the singular states a gender, else nothing."""
    known = _listed().get(noun, "").replace("t", "")
    if known or noun in _EXTRA or noun == "landlord":
        return known
    if re.search(r"(?:woman|girl|lady|mother|sister|daughter|wife)$", noun):
        return "f"
    if re.search(r"(?<!wit)(?<!bus)ess$|(?:duchess|queen|maid)$", noun):
        return "f"
    if re.search(r"(?:duke|baron|prince|(?<!ac)count|lord)$", noun):
        return "m"
    male = re.search(r"(?<!hu)(?<!ger)(?<!ro)(?<!sha)(?:man|boy|father|brother)$", noun)
    return "m" if male or (noun in GENDERED and noun.endswith("son")) else ""
