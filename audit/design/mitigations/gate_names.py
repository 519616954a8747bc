"""Word lists with which the gate recognizes names, or capitals that are not names, in lower case.

All are without accents. The lists are not complete: their names are caught in any case of
letters; others need capitals, or the grammar of a name.
"""

from __future__ import annotations

FAMOUS = frozenset(
    """
    achilles adele aeschylus akbar akhenaten aladdin alhazen anansi aphrodite aragorn archimedes
    aristotle atahualpa ataturk athena attila augustine averroes avicenna bach balzac banksy
    basquiat batgirl batman beethoven beyonce bilbo boadicea bolivar bonaparte botticelli boudica
    boudicca brahms bronte buddha caesar caligula caravaggio casanova catwoman cervantes cezanne
    charlemagne chewbacca chopin christ churchill cicero cinderella cleopatra confucius copernicus
    curie dali dante daredevil darwin davinci deadpool debussy degas descartes dostoevsky dracula
    dredd dumbledore dvorak edison einstein eminem euclid euripides feynman frankenstein freud
    frodo galahad galileo gandalf gandhi ganesha gauguin gautama genghis geronimo gershwin
    goebbels goethe gollum goya grinch guevara hatshepsut hawkeye hawking haydn hegel hercules
    hermione herodotus himmler hippocrates hitler homer hypatia imhotep isabella jesus jung kafka
    kahlo kanye katniss kepler kierkegaard krishna lancelot legolas lenin leonardo liszt lumumba
    machiavelli madonna magellan malala mandela mao maradona marx matisse medusa merlin messi
    michelangelo moana moctezuma modigliani moliere monet montezuma moses mozart muhammad mulan
    mussolini napoleon naruto nefertiti nero neymar nietzsche nostradamus obama odin odysseus
    oedipus oprah orpheus othello ovid pachacuti paganini pasteur pavarotti pele pericles picasso
    pikachu pinocchio plato plutarch pocahontas poseidon puccini pushkin putin pythagoras
    quasimodo rachmaninoff rameses ramses rapunzel rasputin rembrandt renoir rihanna ronaldo
    roosevelt rousseau rubens sacagawea saladin sappho sauron schopenhauer schubert schumann
    seneca shakespeare shakira sherlock shrek sibelius skywalker smaug snape socrates solzhenitsyn
    sophocles spartacus spider-man spiderman spinoza stalin stravinsky suleiman supergirl superman
    tamerlane tarzan tchaikovsky tecumseh thor thoreau titian tolkien tolstoy trotsky tutankhamun
    ulysses vader velazquez verdi vermeer virgil vivaldi voldemort voltaire wagner wolverine
    xerxes yoda zelda zelensky zendaya zeus zorro
    """.split()
)
"""People and characters known by one name."""

FAMOUS_PHRASES = (
    "wonder woman|santa claus|father christmas|mrs claus|sitting bull|crazy horse|harry potter"
    "|mickey mouse|donald duck|iron man|captain (?:america|marvel|hook|nemo|ahab)|black panther"
    "|black widow|darth vader|han solo|obi-wan|robin hood|king arthur|peter pan|snow white"
    "|sleeping beauty|red riding hood|indiana jones|lara croft|james bond|mary poppins"
    "|willy wonka|winnie the pooh|baba yaga|sun wukong"
    "|doctor (?:who(?= as\\b|,|$)|strange|doom|watson)"
    "|the (?:beatles|supremes|rolling stones|spice girls|avengers|prophet)|wright brothers"
    "|marx brothers|bronte sisters|kardashians?|kennedys|rockefellers|virgin mary|mother teresa"
    "|mother nature|uncle sam|bonnie and clyde|lady gaga|che guevara|malcolm x|fidel castro"
    "|mansa musa|shaka zulu|sun tzu|lao tzu|prester john|guy fawkes|queen of sheba"
)
"""The same, with more than one word."""

GIVEN = frozenset(
    """
    aaron abdul abdullah abigail abraham adam adebayo aditya adriana agatha agnes ahmed aiko aisha
    akira alan albert alberto alejandra alejandro aleksandr alessandro alexander alexandra alexei
    alfonso alfred ali alice alicia alison aliyah allison amadou amanda amelia amina amir amit amy
    anastasia anders andrea andreas andrei andrew angela anita anjali anna anne annie anthony
    antoine anton antonia antonio aparna arjun arnold arthur arturo ashok astrid auguste ayesha
    barbara bartholomew beatrice beatriz benedict benjamin bernard bernice beth bettina bjorn
    bogdan bonnie boris brenda brian bridget bruce bruno camila camille carla carlos carmen
    caroline catarina catherine cecilia celine cesar chandra charles chen chiara chidi chinedu
    chioma chris christina christine christopher chukwu ciaran claire clara claude claudia colin
    connor cristina cynthia dalia daniel daniela danielle darius david deborah deepak deepika
    denise dennis derek diana diane diego dimitri dmitri dominic donald dorothy douglas duncan
    edgar edith eduardo edward edwin eileen elaine eleanor elena eleni elias elisabeth elizabeth
    ellen emeka emil emilia emily emma emmanuel enrique eric erik erika ernest ernesto esther
    ethan eugene eva evelyn fabio farah fatima fatou federico felipe ferdinand fernanda fernando
    fiona francesca francesco francis francisco francois frederick frida frieda friedrich gabriel
    gabriela gareth gary geoffrey george gerald gerard gertrude giorgio giovanni giulia giuseppe
    gloria goran gordon gregory greta guillaume guillermo gunther gustav hamid hannah hans harold
    harriet harry hassan hector heidi heinrich helen helena helga henri henry herbert hermann
    hiroko hiroshi howard hugh hugo humphrey hussein ibrahim ignacio igor imani imogen ingrid
    irene isaac isabel isabelle ivan jackie jacob jacqueline jacques jamal james jamie jane janet
    jason javier jeanne jeffrey jennifer jeremy jerome jessica jesus jiang jim jimmy joan joanna
    joao joaquin joe johann johanna johannes john jonathan jorge jose josef joseph josephine
    joshua juan juanita judith judy julia julie juliet julius jurgen justin karen karim karin karl
    katarina katherine kathleen kathryn katie kazuo keiko keith kenji kenneth kevin khadija khalid
    kimberly kofi konstantin krzysztof kumar kwame lakshmi larry lars latoya laura laurent leila
    leonard leonid leopold leroy leticia liam lidia lillian linda lisa lorenzo louis louise luca
    lucas lucia lucille lucy ludwig luigi luis luke luther lydia maarten magdalena mahmoud malcolm
    manuel manuela marcel marcia marco marcus margaret maria mariam marie marilyn mario marta
    martha martin martina mary masako mateo matthew matthias maureen maurice megan mehmet mei
    melissa michael michelle miguel mikhail mildred milos miriam mohamed mohammad mohammed
    mohandas monika moritz mustafa nadia nancy naomi natalia natalie natasha nathan nathaniel
    neville ngozi nicholas nicolas nicole nikita nikolai nikos noah noriko norma nuria octavia
    oleg olga olivia olivier olumide oluwaseun otto pablo padma pamela paola patricia patrick paul
    paula paulo pavel pedro penelope peter petra philip philippe phillip phyllis pierre piotr
    priya priyanka rachel rahul raj rajesh ralph ramon rashid raul raymond rebecca regina reinhard
    ricardo richard rita robert roberto rodrigo roger roland rosa rosalie rosalind rosemarie
    roxanne rudolf rupert ruth ryan sabine sally salma salvador samantha samir samuel sandeep
    sandra sanjay sarah sasha sebastian sergei sergio shanice shira shirley sigmund sigrid silvia
    simone sofia solomon sonia sophia sophie soren stanislav stefan stefano stephanie stephen
    steven stewart stuart sunita susan susana susanna suzanne sven svetlana sylvia takeshi tamara
    tanya tatiana teresa thabo theodore theresa thomas tiffany timothy tomas tomoko toshiro tyrone
    ursula valentina valerie vanessa vasily venkatesh veronica vijay vikram vincent vincenzo
    vivian vladimir walter wanda wangari wei werner wilhelm william winifred winston wolfgang
    xavier xiao yasmin yoko yolanda yosef yuki yuri yusuf yvonne zainab zara zhang zheng zoe zora
    zuzana
    """.split()
)
"""Given names that rarely have another meaning, from many languages."""

PARTICLES = frozenset(
    "van von der den de da di du del della dos la le bin ibn al el y ter ten".split()
)
"""Small words inside a name."""

ELSEWHERE = frozenset(
    """
    aboard across along around at beyond from in inside into near off on onto opposite outside
    through throughout toward towards via within for
    """.split()
)
"""Prepositions after which capitals name a place, a firm or a date."""

PLACE_FIRST = frozenset(
    """
    american british buenos cape central costa east eastern el european federal fort great hong
    international lake las los lower mount mt national new north northern port puerto rio royal
    saint san santa santo sao saudi sierra south southern sri st united upper west western
    """.split()
)
"""Words that begin the name of a place or an institution."""

PLACE_LAST = frozenset(
    """
    academy agency airlines airport airways arena army associates association avenue award awards
    bakery bank bar bay beach boulevard brewery bridge building bureau burner cafe canyon
    cathedral center centre championship championships church city clinic club coast college
    committee company corp corporation corps council county court cup day department desert diner
    disease drive empire eve falls farm farms federation festival force forces forest foundation
    gallery games garden gardens group guard gulf hall harbor harbour heights hill hills hospital
    hotel house inc institute institution island islands jail kingdom lake lamp lane league
    library llc ltd mall marathon market method ministry mosque mountain mountains museum navy
    ocean office open palace park parliament partners peninsula penitentiary pier pizzeria plaza
    port prison prize province pub railway railways ranch republic restaurant river road school
    sea senate shop society square stadium state states station store street syndrome team temple
    test theater theatre tower town union university valley village week winery zoo
    """.split()
)
"""Words that end the name of a place, an institution, an event or a thing."""

NO_NAMES = frozenset(
    """
    adidas afghan africa african airbus algerian amazon america american android angry antarctic
    antarctica apple april arab arabic arctic argentine argentinian armenian asia asian assistant
    august australia australian austrian back bangladeshi beijing belgian berlin black bluetooth
    bmw boeing bolivian boston brazilian brown buddhist bulgarian busy cairo cameroonian canadian
    canon caribbean catholic certified chicago chief chilean chinese christmas cinematic close-up
    closeup colombian confident congolese contemporary cuban czech danish december delhi denver
    deputy digital disney diwali drawing dutch each easter egyptian eid elderly engine english
    ethiopian europe european every experienced face facebook february fedex filipino finnish ford
    french friday friendly front georgian german ghanaian google greek guatemalan haitian
    halloween hanukkah happy head headshot hindu hispanic honda houston hungarian icelandic ikea
    illustration image images indian indonesian instagram internet ipad iphone iranian iraqi irish
    islamic israeli italian jamaican january japanese jewish july june junior kenyan kodak korean
    lagos latin latina latino lebanese leica libyan licensed linux local london lyft macbook
    malaysian malian march may mediterranean meta mexican microsoft middle-aged modern monday
    moroccan moscow mumbai muslim nairobi nepali netflix nigerian nike nikon nordic norwegian
    november oceania october oil old orthodox painting pakistani palestinian paris persian
    peruvian photo photograph photorealistic photos photoshop picture pictures polaroid polish
    portrait portraits portuguese professional protestant proud ramadan realistic registered
    rendering roman romanian rome rural russian rwandan sad saturday scandinavian scottish seattle
    selfie senegalese senior september side sikh sketch skilled slovak smiling snapshot somali
    some spanish spotify starbucks studio sudanese sunday swedish swiss syrian tanzanian tesla
    thai thanksgiving that the these this those thursday tibetan tiktok tired tokyo toyota tuesday
    tunisian turkish twitter uber ugandan ukrainian unreal urban venezuelan vice vietnamese view
    visa volkswagen walmart watercolor watercolour wednesday welsh white wifi windows young
    youtube zambian zimbabwean
    """.split()
)
"""Capitalised words that are not names: days, peoples, firms, images, and starts of texts."""

BRANDS = (
    r"trader joe's|mcdonald's|wendy's|papa john's|domino's|denny's|macy's|levi's|kellogg's"
    r"|lloyd's|sotheby's|christie's|ben (?:&|and) jerry's|jack daniel's|johnnie walker|jim beam"
    r"|jimmy john's|victoria's secret|tim hortons|calvin klein|ralph lauren|tommy hilfiger"
    r"|louis vuitton|john deere|jp morgan|morgan stanley|charles schwab|johnson (?:&|and) johnson"
    r"|ernst (?:&|and) young|mercedes(?:-benz)?|harley-davidson|rolls-royce|st\.? jude"
    r"|caesar salad|bloody mary|eggs benedict|beef wellington|christmas carol|vera wang gown"
    r"|statue of liberty|tower of london|tom collins|arc de triomphe|st\.? mary's"
    r"|bed bath (?:&|and) beyond|peter pan bus|phillips curve|johns hopkins|mary kay"
)
"""Firms and products with the names of people."""

AGENT = (
    r"(?:er|or|ist|ian|ant|ent|eer|man|woman|person|ee|tech|ic|chef|cook|nurse|judge|pilot|guard"
    r"|clerk|official|coach|guide|maid|attorney|secretary|host|sweep|smith|wright|monk|thief)$"
)
"""Endings of words for jobs, which distinguish a capitalized title from a name."""
