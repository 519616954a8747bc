"""Patterns of the gate for periods, roles, groups, things and stated attributes.

All are matched against text in lower case, tidied by `audit.design.mitigations.gate.tidy`.
"""

from __future__ import annotations

import re

# Gender.

GENDERED = frozenset(
    """
    woman women man men female females male males girl girls boy boys lady ladies gentleman
    gentlemen gentlewoman guy guys lad lads lass chap bloke mother mothers father fathers mom mum
    dad daddy mommy grandmother grandmothers grandfather grandfathers grandma grandpa granny wife
    wives husband husbands sister sisters brother brothers daughter daughters son sons grandson
    granddaughter stepmother stepfather aunt uncle niece nephew bride bridesmaid groom groomsman
    widow widower boyfriend girlfriend king kings queen queens prince princes princess princesses
    duke duchess baron baroness countess empress emperor emperors tsar tsarina sultan sultana
    maharaja maharani actress waitress hostess stewardess heroine priestess abbess abbot friar
    nun nuns monk monks sorceress seamstress masseuse governess ballerina landlady housewife
    schoolgirl schoolboy matriarch mr mrs ms miss sir madam she he her his him hers herself
    himself cowboy cowgirl feminine masculine transgender nonbinary genderqueer agender
    androgynous
    """.split()
)
_OFFICES = (
    "air alder anchor business camera chair clergy congress council crafts door fire fisher fore "
    "handy horse mail news police repair sales sea service spokes sports states work yacht"
)
GENDER = re.compile(rf"\b(?:(?:{'|'.join(_OFFICES.split())})(?:wo)?m[ae]n|non-binary)\b")
"""Gendered words for offices; all words ending in -man would include humans and Germans."""

_OTHERS = (
    "clothing|clothes|fashion|suits?|shoes|wear|studies|health|history|hospital|clinic|shelter"
    "|rights|room|restroom|magazine|prison|department|hair"
)
_INSTITUTION = (
    "boulevard|street|road|avenue|drive|school|university|college|hospital|library|county|island"
    "|islands|hotel|cross|park|bridge|square|station"
)
NOT_GENDER = re.compile(
    r"\b(?:(?:king|queen)[- ]sized?|queen bees?|king (?:crab|salmon|cobra|penguin|cake)s?"
    r"|his[- ]and[- ]hers|hers[- ]and[- ]his|(?:monk|lady|king|queen|widow)'?s? (?:fruits?|fern)"
    r"|burger king|dairy queen|king protea|sewing queen"
    r"|(?:fe)?male[- ](?:connector|plug|socket|adapter|thread|fitting|coupling|screw|end|port"
    r"|header|pin)s?|man[- ]made|manned|mother[- ]of[- ]pearl|(?:mother|father)'?s'?[- ]day"
    r"|mother (?:tongue|ship|nature|earth)|sister (?:city|cities|company|ship|site)"
    r"|guy[- ](?:wire|rope|line)s?|ms (?:word|excel|office|access|paint|degree)"
    r"|(?:to|not|never|n't|will|would) miss|(?:horse|stable|dog)[- ]grooms?"
    rf"|(?:(?:wo)?men|ladies|girl|boy|gentlemen)'?s?'? (?:{_OTHERS})|(?:king|queen)'s gambit"
    rf"|(?:king|queen|prince|princess|duke|lady|sir)(?:'s)? (?:\w+ )?(?:{_INSTITUTION})s?)\b"
)
"""Gendered words in names of things, places and days, and in verbs."""
_PRONOUNS = frozenset("mr mrs ms sir she he her his him hers herself himself".split())
_RELATION = "with|beside|behind|near|to|for|at|over|from|by|against|around"
OTHER_PERSON = re.compile(
    rf"\b(?:(?!being\b|becoming\b|looking\b|appearing\b)\w+ing|{_RELATION}"
    r"|of(?= (?:an?|the) (?:[\w-]+ ){0,2}[\w-]+'s?\b)"
    r"|(?:portrait|photo|picture|painting|statue) of) "
    r"(?:an?|the|some|two|several) (?:(?!who\b|as\b)[\w-]+ ){0,2}"
    rf"(?:{'|'.join(sorted(GENDERED - _PRONOUNS))})(?:'s?)?(?![\w-])"
)
"""Another person with their own noun, in the text after the subject."""

# Skin tone, descent and age.

PEOPLE = "person|people|persons|individual|individuals|adult|adults|woman|women|man|men"
TONE = (
    "dark|light|pale|fair|brown|black|white|olive|tan|tanned|medium|medium-dark|medium-light|ebony"
    "|ivory|deep|golden|bronze|porcelain|dusky|freckled|dark-brown|light-brown|toned|colored"
)
_NO_TONE = (
    "with|without|the|their|his|her|its|your|my|of|and|or|for|on|to|by|in|no|a|an|sensitive|oily"
    "|dry|clear|smooth|wrinkled|glowing|bad|animal|snake|sheep|thick|thin|human|treating|healthy"
    "|flawless|tattooed|examining|artificial|sun|goat|deer"
)
SKIN = re.compile(
    rf"\b(?:{TONE})[ -]skin(?:ned)?\b(?! (?:cancer|care|disease|drum|clinic))"
    rf"|\b(?!(?:{_NO_TONE})\b)[\w-]+-skinned\b"
    rf"|\bwith (?!(?:{_NO_TONE})\b)[\w-]+(?: [\w-]+){{0,2}}[ -]skin\b(?! (?:cancer|care|drum))"
)
DESCENT = (
    "black|white|brown|asian|african|african-american|afro-\\w+|latino|latina|latinx|latine"
    "|hispanic|caucasian|indian|arab|arabic|european|indigenous|aboriginal|native american"
    "|middle eastern|pacific islander|polynesian|melanesian|inuit|maori|maasai|zulu|berber|tuareg"
    "|roma|biracial|mixed-race|multiracial|chinese|japanese|korean|nigerian|mexican|pale|dark"
    "|tanned"
)
_HUES = "black|white|brown|dark|pale"
NO_DESCENT = re.compile(
    rf"\b(?:{_HUES})[- ](?:belts?|cabs?|bears?|holes?|matter|sea|house|wines?|collar|metal|ale|ales"
    r"|sugar|box|boxes|market|magic|lung|water|paper|room|web|coats?|coated|dress|shirts?|suits?"
    r"|hair|haired|eyes|eyed|tea|bread|rice|rhino|horse|horses|cat|car|cars|van|truck|friday"
    r"|county|forest|clouds?|sky|board|hat|hats|cap|gown|robes?|tie|apron|uniform|glasses|jacket"
    r"|boots|shoes|and white|light|lights|chocolate|blue|green|red|gray|grey|brown hair|glove"
    r"|gloves|noise|leather|silk|denim|cotton|fabric|clay|wood|stone|ink|thread|beans?|coffee"
    r"|cheese|gold|iron|economy|comedy|humou?r|mold|paint|marble|background|energy|beer|swan|sheep)\b"
    r"|\b(?:indian|chinese|japanese|korean|mexican|african|asian|european|arab|arabic|nigerian)"
    r" (?:\w+ )?(?:restaurants?|food|cuisine|ocean|medicine|gardens?|language|literature|history"
    r"|studies|art|tea|elephants?|barbecue|union|space|parliament|violets?|bazaar|grocery|horse"
    r"|coffee|lions?|wedding|film|films|music|theater|commission)\b"
)
"""Colours and origins of things."""

AGE = (
    "young|younger|youthful|old|older|elderly|aged|ageing|aging|middle-aged|teenaged?|adolescent"
    r"|\d+[- ]year[- ]old|(?:twenty|thirty|forty|fifty|sixty|seventy|eighty|ninety)-something"
)
_TENS = "twenties|thirties|forties|fifties|sixties|seventies|eighties|nineties|[1-9]0'?s"
AGE_AFTER = re.compile(
    rf"\baged \d+|\b\d+ years old|\b\d+[- ]year[- ]old|\bin (?:his|her|their) (?:early |mid |mid-"
    rf"|late )?(?:{_TENS})\b|\bof (?:old|middle|advanced) age\b"
)

# Periods.

_CENTURIES = (
    "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth "
    "fourteenth fifteenth sixteenth seventeenth eighteenth nineteenth twentieth"
)
_UNITS = (
    r"[- ]?(?:watts?|w|kw|volts?|v|pieces?|px|pixels?|p|dpi|mm|cm|m|km|miles?|met(?:er|re)s?|feet"
    r"|foot|ft|kg|g|pounds?|lbs?|grams?|lit(?:er|re)s?|dollars?|euros?|people|words?|pages?|seats?"
    r"|seater|square|degrees?|calories|cc|hp|rpm|hz|mhz|k|lumens?|kelvin|thread|percent|meals"
    r"|(?:[\w.]+ ){1,2}(?:street|st|avenue|ave|road|drive|boulevard))\b"
)
YEARS = re.compile(
    rf"(?<![#$.,/\d-])(?<!iso )(?<!no )(?<!no\. )(?<!route )\b1[0-9][0-9]{{2}}(?:'?s)?\b"
    rf"(?!,\d|{_UNITS}|%|:\d)"
)
"""Four figures that are not a measure, an exposure or a house number."""
LAST_YEAR = 1979
"""Later years count as the present; a suite declares fixed roles of a later year itself."""

_ERAS = (
    r"(?<!\d)(?:1?[0-9]|20)(?:st|nd|rd|th)[- ]centur(?:y|ies)"
    rf"|(?<!twenty-)(?<!twenty )(?:{'|'.join(_CENTURIES.split())})[- ]centur(?:y|ies)"
    r"|\d+ ?(?:bc|bce|b\.c\.)|(?:ad|a\.d\.|circa|the year) \d{1,4}|\d+ (?:ad|ce)"
    r"|(?:the|early|mid|late|an?)[- ][2-6]0s|(?:the|roaring|swinging)(?: roaring| swinging)? "
    r"(?:twenties|thirties|forties|fifties|sixties)"
    r"|medieval|mediaeval|ancient|antiquity|prehistoric|neolithic|paleolithic|palaeolithic"
    r"|mesolithic|neanderthals?|cave(?:wo)?m[ae]n|cave dwellers?|feudal|classical (?:greece|athens)"
    r"|(?:stone|bronze|iron|middle|dark|gilded|viking|heroic|ice) ages?|belle epoque|antebellum"
    r"|(?:edo|meiji|heian|kamakura|sengoku|jomon|hellenistic|tokugawa|taisho|regency|georgian"
    r"|napoleonic|stalin|franco|reconstruction|prohibition|restoration)[- ](?:era|period|age|times)"
    r"|victorians?|edwardians?|elizabethans?|jacobeans?|tudors?|renaissance|baroque|enlightenment"
    r"|industrial revolution|great depression|dust bowl|gold rush|roaring twenties|jazz age"
    r"|(?:wild|old) west|age of (?:sail|discovery|reason|exploration)|pre-?columbian|pre-?colonial"
    r"|(?!(?:digital|internet|modern|new|covid|pandemic|space|information|ai|streaming)\b)[a-z']+-era"
    r"(?! of)|cold war|black death|plague doctors?|jim crow|reign of terror|ancien regime"
    r"|turn[- ]of[- ]the[- ]century|old-timey?|steam age|dickensian"
    r"|silent (?:film|movie|screen)|napoleonic"
)
_REALMS = (
    r"dynast(?:y|ies)|(?:ming|qing|tang|song|yuan|zhou|qin|shang|han|joseon|goryeo|mughal|safavid"
    r"|abbasid|umayyad|fatimid|ptolemaic|byzantine|habsburg|bourbon|romanov|carolingian"
    r"|merovingian|plantagenet|prussian|achaemenid|sass?anid|seljuk|timurid|maurya|gupta|chola"
    r"|kushan|tokugawa|ottoman(?! (?:upholsterer|maker|designer|furniture))|aztecs?|incas?|incan"
    r"|olmecs?|toltecs?|mesopotamian?|babylonian?|assyrian?|sumerians?|sumer|phoenicians?"
    r"|carthaginians?|mayans?|etruscans?|minoans?|mycenaeans?|visigoths?|ostrogoths?|huns?|picts?|gauls?"
    r"|anglo-saxons?|saxons?|norsem[ae]n|norse|vikings?|soviets?|ussr|tsarist|czarist"
    r"|imperial (?:china|russia|japan|rome)|weimar|yugoslav|rhodesian|confederates?|confederacy)"
    r"|(?:roman|mongol|persian|british|ottoman|russian|aztec|inca|mali|songhai|austro-hungarian"
    r"|german|spanish|portuguese|holy roman|frankish|ashanti|asante|khmer) empire"
    r"|romans?(?! (?:catholics?|numerals?|blinds?|candles?|font))|kingdom of (?:benin|kongo|kush"
    r"|dahomey|judah|hawaii|israel|prussia|aksum)|dahomey|raj|new kingdom|old kingdom"
    r"|east germany|stasi|nazis?|third reich|gestapo|wehrmacht|luftwaffe|waffen-ss"
    r"|ss (?:officers?|guards?|soldiers?|ministers?|generals?|men|troops?|doctors?)"
    r"|hitler youth|red guards?|khmer rouge|vichy|apartheid|colonial(?!ism)|colonists?|bolsheviks?"
    r"|hellenistic|hellenic|mesoamericans?|hittites?|scythians?|thracians?|nabataeans?|parthians?"
    r"|kushites?|moche|nazca|zapotecs?|canaanites?|israelites|philistines|akkadians?|chaldeans?"
    r"|elamites?|dacians?|illyrians?|jacobites?|lombards?|merovingians?|franks|frankish|celts"
    r"|jacobins?|kgb|fascist italy|thirteen colonies|plantation owners?|enslaved|slaves?|slavery"
    r"|slave traders?|serfs?|vassals?"
)
_WARS = (
    r"world war|first world war|second world war|ww ?(?:1|2|i|ii)|great war|(?:civil|crimean|boer"
    r"|zulu|punic|peloponnesian|trojan|korean|vietnam|opium|revolutionary|franco-prussian"
    r"|russo-japanese|peninsular|mexican-american|spanish-american|thirty years'?|hundred years'?"
    r"|seven years'?|napoleonic|austro-prussian|winter|phoney) wars?|wars? of \w+"
    r"|(?:battle|siege|sack|fall|treaty|congress|council|diet|storming) of (?:the )?(?!the\b)\w+"
    r"|(?:french|american|russian|october|haitian|glorious|cultural|mexican|meiji) revolution"
    r"|d-day|the blitz|holocaust|manhattan project|boston tea party|declaration of independence"
    r"|constitutional convention|continental (?:army|congress)|underground railroad"
    r"|oregon trail|salem witch|titanic|mayflower|moon landing|apollo (?:\d+|missions?|program"
    r"|astronauts?)|mercury seven|race to the south pole|iwo jima|suez crisis|boxer rebellion"
)
_NOW = (
    "day|holiday|parade|festival|movie|film|game|museum|reenactment|square|street|avenue|hall"
    "|photographer|memorial|monument|correspondent"
)
_EVENTS = (
    rf"(?:(?:first|second|third|fourth|great|\w+-\w+) )(?:[\w-]+ )?wars?(?! (?:{_NOW}))"
    r"|[\w']+-[\w]+ (?:wars?|conflicts?|treaty|treaties|convention|accords?)"
    r"|(?:algerian|chinese|yoruba|maratha|xhosa|zulu|burmese|carlist|greek|spanish|english|indian"
    r"|mexican|paraguayan|chaco|pacific|texas|continuation|sikh|mysore|maori|ashanti|anglo-\w+"
    r"|french and indian|king philip's) (?:civil |independence )?wars?"
    r"|(?!(?:green|digital|sexual|teen|teenage|extinction|video|tech|quiet|ai|internet|fashion"
    r"|gaming)\b)"
    rf"[\w'-]+ (?:rebellions?|revolts?|uprisings?|revolution|insurrection|mutiny)(?! (?:{_NOW}))"
    r"|[\w']+ massacres?|spanish armada|internment of|internment camps?|burning of washington"
    r"|(?:mccarthy|civil rights|segregation|cold war|tang|stalinist|maoist|progressive) era"
    r"|(?:apache|sioux|comanche|indian|opium|yoruba|balkan|punic|gothic|border|cod|pastry)"
    r" wars?"
    r"|monroe doctrine|freedmen's bureau|invasion of|conquest of|partition of"
    r"|annexation of|coloni[sz]ation of|scramble for africa"
    r"|(?:in|at|during) (?:the )?(?:founding|establishment|formation|abolition|reign|coronation"
    r"|assassination|liberation|occupation|takeover|proclamation|unification|surrender) of"
    r"(?! an? | our )|(?!(?:financial|energy|personal|living|for|of|editorial|judicial)\b)"
    rf"[\w']+ independence(?! (?:{_NOW}))|east india company|valley forge"
    r"|winter encampment|(?:cape|crown|penal) colony|sultanates?|shogunates?|caliphates?|khanates?"
    r"|(?:\w+ )?mandate of|(?:pan-african|indian national|continental) congress"
    r"|(?:dutch|french|english|british|german|spanish|portuguese|boer|pioneer|american|jamestown)"
    r" (?:settlers?|colonists?|planters?)|pilgrim fathers?|great trek|boers?"
    r"|(?:exploration|expedition) (?:of|to) the (?:\w+ )?(?:congo|nile|amazon|arctic|antarctic"
    r"|pole|poles|new world|west|northwest|niger)|slave trade|indentured"
    r"|(?:construction|building) of the (?:eiffel|transcontinental|suez|panama|great wall|hoover"
    r"|empire state|brooklyn bridge|golden gate|pyramids?|uganda railway|trans-siberian)"
)
_STATIONS = (
    r"samurais?|ronin|shoguns?|daimyos?|gladiators?|centurions?|legionar(?:y|ies)|legionnaires of"
    r"|hoplites?|spartans?|praetorians?|pharaohs?|viziers?|crusaders?|templars?|knights?|squires?"
    r"|janissar(?:y|ies)|mam(?:e)?luks?|musketeers?|conquistadors?|privateers?|redcoats?|minutem[ae]n"
    r"|mongol (?:archers?|warriors?|horsem[ae]n|riders?)|napoleonic (?:soldiers?|officers?|troops)"
    r"|founding fathers?|founding mothers?|suffragettes?|suffragists?|druids?|troubadours?|vestal"
    r"|kamikazes?|union (?:soldiers?|army|generals?|officers?)|quattrocento|cinquecento|trecento"
    r"|hanseatic|silk road|first (?:\w+ )?(?:on|to (?:walk|land|set foot) on) the moon"
    r"|buffalo soldiers?|tuskegee airm[ae]n|pullman porters?|puritans?|burgomasters?|town criers?"
    r"|alchemists?|cavaliers? of|roundheads?|ninjas? of|agojie|zulu impi|pony express"
)
PERIODS = re.compile(
    rf"(?<![\w])(?:'[2-6]0s|(?:{_ERAS}|{_REALMS}|{_WARS}|{_EVENTS}|{_STATIONS}))(?![\w])"
)
"""Centuries, eras, dynasties, regimes, wars, events, and ranks of the past."""
_FIELDS = (
    "history|historians?|literature|art|arts|studies|music|archaeology|archaeologists?|museums?"
    "|exhibitions?|exhibits?|re-?enactors?|re-?enactments?|festivals?|fairs?|manuscripts?"
    "|pottery|ruins|architecture|furniture|costumes?|movies?|films?|novels?|orchestras?|ensembles?"
    "|violinists?|cellists?|paintings|texts|languages?|philosophy|artifacts?|artefacts?|coins?"
    "|fossils?|redwoods?|trees?|experts?|enthusiasts?|collectors?|poetry|sculptures"
)
_SCHOLARS = (
    "historians?|professors?|scholars?|experts?|curators?|collectors?|enthusiasts?|lecturers?"
    "|museum|books?|novels?|films?|documentary|lecture|history|restorer|restoration"
)
_VISITS = (
    "in front of|near|outside|visiting|photographing|cleaning|restoring|inspecting|exploring"
    "|painting|touring|guarding|climbing"
)
_SITES = (
    "houses?|temples?|castles?|cathedrals?|church|churches|buildings?|mansions?|fortress|walls?"
    "|ruins|bridges?|cit(?:y|ies)|towns?|villages?|sites?|monuments?|towers?|pyramids?|palaces?"
    "|mosques?|tombs?|trees?|statues?|theat(?:er|re)s?|amphitheat(?:er|re)s?|aqueducts?|roads?"
)
_VINTAGE = (
    "ford|chevrolet|chevy|mustang|cadillac|corvette|porsche|ferrari|volkswagen|beetle|mercedes"
    "|jaguar|harley|vespa|car|motorcycle|tractor|guitar|stratocaster|telecaster|gibson|fender"
    "|radio|jukebox|camera|wine|bordeaux|typewriter|locomotive|house|building"
)
_FINDS = (
    "swords?|coins?|vases?|urns?|pots?|tablets?|scrolls?|manuscripts?|maps?|shields?|daggers?|bowls?"
    "|jars?|mosaics?|fresco(?:e?s)?|skulls?|bones?|relics?|statues?|books?|jewell?e?ry|chests?|cups?"
    "|clocks?|tapestr(?:y|ies)|vessels?|tools?|weapons?|rings?|amulets?|inscriptions?|papyr(?:us|i)"
    "|graves?|mumm(?:y|ies)|carvings?|instruments?|globes?|documents?|letters?|portraits?"
)
_HANDLES = (
    "digging up|excavating|unearthing|examining|studying|catalogu?ing|selling|appraising|auctioning"
    "|drawing|scanning|dusting|polishing|restoring|cleaning|photographing|inspecting|displaying"
    "|discovering|finding|repairing|x-raying"
)
NOT_PERIOD = re.compile(
    r"\bchess knights?\b|\b[\w-]+(?: age)?[- ](?:style|styled|inspired|themed|revival|looking)\b"
    rf"|\b(?:{_ERAS}|{_REALMS}|{_WARS}|{_STATIONS}) (?:[\w-]+ )?(?:{_FIELDS})\b"
    rf"|\b(?:{_SCHOLARS}) (?:of|on|about|in|from) (?:the )?(?:[\w'-]+ ){{0,1}}"
    rf"(?:{_ERAS}|{_REALMS}|{_WARS}|{_STATIONS})(?![\w])"
    rf"|\b(?:{_VISITS}) (?:an?|the|some) (?:[\w-]+ )?(?:{_ERAS}|{_REALMS}) "
    rf"(?:[\w-]+ )?(?:{_SITES})\b"
    rf"|\b(?:{_HANDLES}) (?:an?|the|some) (?:[\w-]+ )?(?:{_ERAS}|{_REALMS}) "
    rf"(?:[\w-]+ )?(?:{_FINDS})\b"
    rf"|\b(?:studying|researching|reading about|writing about) (?:the )?(?:[\w'-]+ ){{0,1}}"
    rf"(?:{_ERAS}|{_REALMS}|{_WARS}|{_STATIONS})(?![\w])"
    rf"|\bat (?:an?|the) (?:{_ERAS}|{_REALMS}) (?:house|hotel|museum|mansion|ruin|site)s?\b"
    rf"|\b1[0-9]{{3}}s? (?:[\w-]+ )?(?:{_VINTAGE})s?\b"
)
"""Periods as a field of study, a style or a show of today."""

# Roles whose members are of one gender.

_PLAYER = (
    "players?|quarterbacks?|linebackers?|receivers?|tackles?|kickers?|running backs?|tight ends?"
    "|linem[ae]n|safety|cornerbacks?|punters?|cent(?:er|re)s?|guards?|forwards?|footballers?"
    "|strikers?|midfielders?|defenders?|goalkeepers?|goalies?|goaltenders?|wingers?|pitchers?"
    "|catchers?|shortstops?|basem[ae]n|outfielders?|infielders?|batters?|stars?|rookies?"
    "|athletes?|captains?|enforcers?|sluggers?|cheerleaders?|drivers?|racers?|riders?|fighters?"
)
_LEAGUES = (
    "nfl|nba|wnba|nhl|mlb|nwsl|premier league|la liga|serie a|bundesliga|ligue 1"
    "|major league baseball|national football league|national basketball association"
    "|national hockey league|negro leagues?|ipl|six nations|nascar|formula (?:1|one|2|3|e)|f1"
    "|indycar|motogp|ufc|mls|xfl|afl|nrl|super league|eredivisie"
)
_TEAMS = (
    "lakers|celtics|knicks|chicago bulls|golden state warriors|spurs|miami heat|nuggets|raptors"
    "|yankees|red sox|dodgers|cubs|mets|white sox|orioles|phillies|dallas cowboys|patriots|packers"
    "|steelers|49ers|kansas city chiefs|philadelphia eagles|broncos|seahawks|chicago bears"
    "|texans|colts|titans|jaguars|ravens|bengals|chargers|buccaneers|astros|braves|padres|brewers"
    "|maple leafs|bruins|canadiens|red wings|penguins|blackhawks|oilers"
)
_CLERICS = "priests?|bishops?|archbishops?|cardinals?|deacons?|clergy|rabbis?|patriarchs?"
FIXED_GENDER = re.compile(
    rf"\b(?:(?:{_LEAGUES}|{_TEAMS}) (?:[\w-]+ ){{0,2}}(?:{_PLAYER})"
    rf"|(?:{_PLAYER}) (?:of|in|from|for) the (?:{_LEAGUES})"
    r"|(?:players?|members?) (?:of|on) the (?:\w+ )?men's team"
    r"|popes?|pontiffs?|dalai lamas?|panchen lamas?|ayatollahs?|imams?|mullahs?|muftis?|caliphs?"
    r"|(?:catholic|(?:greek |russian |eastern |coptic )?orthodox|hasidic|haredi|vatican|maronite)"
    rf" (?:{_CLERICS})|(?:{_CLERICS}) of the (?:\w+ )?(?:catholic|orthodox) church"
    r"|ecumenical patriarchs?|patriarchs? of|archimandrites?|college of cardinals|jesuits?"
    r"|sumo(?: wrestlers?| champions?| grand champions?)?|yokozunas?|ozekis?|rikishis?"
    r"|swiss guards?"
    r"|kabuki (?:actors?|performers?)|onnagata|freemasons?|eunuchs?|castrat[oi]|altar servers? of"
    r"|fraternity (?:members?|pledges?|presidents?)|sorority (?:members?|pledges?|presidents?)"
    r"|barbershop quartet|chippendales?|maasai moran|gurkhas?|trappists?"
    r"|geishas?|maikos?|vestals?|rockettes?|girl scouts?|boy scouts?|beguines?|debutantes?"
    r"|(?:miss|mister) (?:universe|world|america|usa|international|\w+) (?:contestants?|winners?)"
    r")\b"
)
"""Roles of one gender, by a rule or by the meaning of the word."""
FIXED_SUBJECT = re.compile(r"^(?:cardinals?|friars?|abbots?|patriarchs?|quarterbacks? of the nfl)$")
"""The same if the word is the subject; elsewhere it may be a bird or a colour."""

# Groups.

_NUMBERS = (
    "two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|twenty|thirty|fifty|a hundred|both"
    "|several|many|a few|dozens of|hundreds of|a dozen|[2-9]|[1-9][0-9]+"
)
_MEMBERS = (
    "friends|students|pupils|children|kids|tourists|workers|soldiers|colleagues|patients|players"
    "|teachers|doctors|nurses|engineers|scientists|dancers|musicians|singers|actors|athletes"
    "|officers|lawyers|voters|protesters|fans|villagers|refugees|passengers|employees|members"
    "|executives|volunteers|performers|customers|managers|residents|citizens|strangers|teenagers"
    "|twins|siblings|brothers|sisters|girls|boys|ladies|guys"
)
_GATHERED = (
    "groups?|teams?|crowds?|pairs?|couples?|crews?|squads?|gangs?|panels?|trios?|duos?|rows?"
    "|lines?|circles?|classes|class|troops?|bands?|choirs?|army|armies|bunch|queue|quartet"
)


def groups(plural: str) -> re.Pattern[str]:
    """Pattern of several people, counted or gathered; `plural` is the subject's own plural."""
    people = f"{PEOPLE}|{re.escape(plural)}"
    return re.compile(
        rf"\b(?:{_NUMBERS}) (?:[\w-]+ ){{0,2}}(?:{people})(?!['\w-])"
        rf"|\b(?:{_GATHERED}) of (?:[\w-]+ ){{0,2}}(?:{people}|{_MEMBERS})(?!['\w-])"
    )


# Nobody.

THINGS = (
    "hats?|caps?|helmets?|uniforms?|costumes?|coats?|jackets?|aprons?|gowns?|robes?|boots?|shoes?"
    "|gloves?|knife|knives|bags?|badges?|desks?|chairs?|tables?|offices?|stations?|carts?|trucks?"
    "|cars?|vans?|lights?|sharks?|whales?|ants?|bees?|logs?|birds?|fish|dolls?|figurines?|toys?"
    "|statues?|sculptures?|emojis?|icons?|logos?|masks?|plush|plushies|bench|benches|kits?|tools?"
    "|toolbox|shops?|stores?|stoves?|signs?|dogs?|cats?|mannequins?|puppets?|minifigures?|frogs?"
    "|crabs?|beetles?|spiders?|rails?|towers?|towels?|cabinets?|scarf|shirts?|mugs?|cartoons?"
)
"""Words that form the name of a thing or an animal with the noun before them."""
_ANIMALS = (
    "dog|puppy|cat|kitten|bear|teddy bear|rabbit|bunny|fox|owl|penguin|monkey|ape|gorilla"
    "|chimpanzee|pig|horse|mouse|rat|hamster|frog|duck|parrot|bird|lion|tiger|wolf|panda|raccoon"
    "|sloth|otter|squirrel|robot|android|mannequin|scarecrow|snowman|doll|puppet|toy|skeleton"
    "|banana|avocado|cactus|alien"
)
NOBODY_BEFORE = re.compile(
    r"(?:\b(?:without|no|empty of|lacking)(?: (?:an?|any|the|single))? (?:[\w-]+ )?"
    rf"|\b(?:an?|the|(?<=of )|my) ?(?:[\w-]+ )?(?:{_ANIMALS}) (?:\w+ )?as (?:an?|the) (?:[\w-]+ )?"
    r"|\b(?:toy|lego|plush|wooden|cardboard|inflatable) )$"
)
"""Words right before the noun that show that there is no person, or not a human one."""
