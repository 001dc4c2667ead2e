"""The words of the generated sentences. Verbs are regular or have past tense = participle."""

from __future__ import annotations


def words(text: str, separator: str | None = None) -> list[str]:
    """Split a list of words, by white space or a separator of phrases."""
    return text.split(separator)


def alternatives(text: str) -> list[tuple[str, ...]]:
    """Split a list of words that belong together, such as go/went, by white space and slashes."""
    return [tuple(group.split("/")) for group in text.split()]


PEOPLE = words("""
    actor artist aunt baker barber beggar boxer builder butcher captain carpenter chemist child
    clerk coach cook cousin dancer dentist doctor driver editor engineer explorer farmer father
    fisherman florist gardener girl grandmother guard guest hunter innkeeper janitor judge juggler
    king lawyer librarian mayor mechanic merchant miner mother musician neighbour nurse officer
    painter pilot plumber poet postman priest prince printer professor queen sailor scientist
    sculptor shepherd singer soldier stranger student surgeon tailor teacher thief tourist
    uncle visitor waiter weaver witness writer youth
""")

NAMES = words("""
    Abigail Albert Arthur Beatrice Bernard Bridget Catherine Charles Clara Daniel Deborah Dorothy
    Edgar Eleanor Emily Ethan Fiona Francis George Grace Hannah Harold Helen Hugh Isabel Jacob
    Jasmine Joseph Judith Julian Laura Leonard Lucy Margaret Martin Matthew Nathan Nicholas Olivia
    Oscar Patrick Philip Rachel Rebecca Robert Rosemary Samuel Sophie Stephen Susan Theodore Thomas
    Victor Vivian Walter William Yvonne Zachary
""")

THINGS = words("""
    album anchor apple armchair arrow basket bell bicycle blanket boat book boot bottle bowl box
    bracelet brush bucket button cabinet cage camera candle canoe carpet cart chain chair chest
    clock coat coin compass cup curtain desk diary door drawer drum envelope fence flag flute
    fountain frame guitar hammer hat helmet jacket jar jug kettle key kite ladder lamp lantern
    letter lock machine map mask mirror motor necklace needle net newspaper notebook oven package
    painting pencil photograph piano pillow pipe plate pocket portrait quilt radio raft ring rope
    saddle sail sandwich scarf shirt shovel sign sofa spoon stamp statue suitcase sword table tent
    ticket torch towel toy tray trumpet trunk umbrella vase violin wagon wallet watch wheel whistle
    window
""")

PLACES = words("""
    abbey airport attic bakery balcony bank barn basement bay bridge cabin canal castle cathedral
    cave cellar chapel church cliff coast college corridor cottage courtyard desert dock factory
    farm field forest garage garden gate hall harbour hill hospital hotel island kitchen laboratory
    lake library lighthouse market meadow mill mine monastery mountain museum office orchard palace
    park pier playground port prison railway restaurant river road school shed shop square stable
    stadium station street temple theatre tower tunnel university valley village warehouse
    waterfall workshop yard zoo
""")

TOWNS = words("""
    Aberdeen Austin Belfast Boston Bristol Cambridge Cardiff Chicago Dallas Denver Dover Dublin
    Durham Exeter Glasgow Houston Kingston Lancaster Leeds Lincoln London Memphis Montreal Newcastle
    Norwich Oxford Phoenix Plymouth Portland Richmond Seattle Sheffield Stirling Swansea Toronto
    Vancouver Winchester York
""")

ADJECTIVES = words("""
    ancient angry awkward beautiful blue brave bright broken brown careful cheap cheerful clever
    clumsy cold curious dark dirty dusty eager elegant empty enormous expensive faithful famous
    fancy fierce foolish fragile friendly generous gentle golden graceful green grey handsome happy
    heavy honest hungry jealous lazy little lonely lovely lucky massive modest mysterious narrow
    nervous noisy old orange patient plain polite proud purple quiet rare rusty scarlet shiny shy
    silver simple small smooth solid splendid strange strong stubborn sturdy tall thin thirsty tidy
    tiny tired ugly unusual useful valuable violet warm weary white wicked wide wise wooden yellow
    young
""")

# base form, past tense and participle
TRANSITIVE = alternatives("""
    admire/admired bless/blessed bring/brought buy/bought carry/carried catch/caught chase/chased
    clean/cleaned collect/collected copy/copied cover/covered deliver/delivered describe/described
    destroy/destroyed discover/discovered drop/dropped examine/examined exchange/exchanged
    fetch/fetched find/found fix/fixed follow/followed grab/grabbed guard/guarded hang/hung
    hide/hid hold/held ignore/ignored inspect/inspected keep/kept lend/lent lift/lifted lose/lost
    measure/measured mend/mended move/moved notice/noticed offer/offered open/opened order/ordered
    paint/painted photograph/photographed polish/polished praise/praised pull/pulled push/pushed
    recognize/recognized remember/remembered remove/removed repair/repaired replace/replaced
    rescue/rescued return/returned search/searched sell/sold send/sent sketch/sketched
    study/studied touch/touched trade/traded want/wanted wash/washed watch/watched weigh/weighed
    wrap/wrapped
""")
INTRANSITIVE = alternatives("""
    arrive/arrived breathe/breathed complain/complained cough/coughed dance/danced dream/dreamed
    fall/fell giggle/giggled hesitate/hesitated hurry/hurried jump/jumped kneel/knelt laugh/laughed
    listen/listened mumble/mumbled nod/nodded rest/rested return/returned scream/screamed
    shiver/shivered sigh/sighed sing/sang sit/sat sleep/slept smile/smiled sneeze/sneezed
    stand/stood stumble/stumbled swim/swam tremble/trembled vanish/vanished wait/waited
    wander/wandered weep/wept whisper/whispered whistle/whistled work/worked yawn/yawned
""")

ADVERBS = words("""
    anxiously badly boldly bravely calmly carefully cheerfully eagerly easily finally gladly
    gratefully happily hastily hopefully kindly lazily loudly nervously often patiently politely
    proudly quickly quietly rarely sadly secretly seldom silently slowly softly suddenly
    thoughtfully warmly wisely
""")

TIMES = words(
    "after breakfast|after lunch|all day long|at dawn|at dusk|at midnight|at noon|at sunset|"
    "before dinner|before the storm|during the concert|during the holidays|early in the morning|"
    "every other week|for almost an hour|in the evening|in the middle of the night|just in time|"
    "last autumn|last summer|last winter|late in the afternoon|many years ago|not long ago|"
    "on the first day of spring|once upon a time|one rainy night|the day before yesterday|"
    "the other day|this morning|twice a month|two weeks ago|when the bells rang|yesterday",
    "|",
)
WEATHER = words(
    "a cold wind blew from the north|a thick fog lay over the fields|heavy rain fell on the roof|"
    "it was snowing|lightning struck the old oak|the air smelled of smoke|the clouds were low|"
    "the leaves turned red|the moon was rising|the roads were icy|the sky cleared|the snow melted|"
    "the sun was shining|the tide came in|thunder rolled over the hills|the heat was unbearable",
    "|",
)
FOOD = words("""
    almonds bacon beans biscuits bread butter cabbage carrots cheese cherries chocolate cider
    coffee cream cucumbers eggs fish flour garlic ginger grapes honey jam lemons lentils milk
    mushrooms mustard nuts oats olives onions oranges peaches pears peas pepper plums potatoes rice
    salt soup spinach sugar tea tomatoes vinegar walnuts
""")
MONTHS = words("""
    January February March April May June July August September October November December
""")
DAYS = words("Monday Tuesday Wednesday Thursday Friday Saturday Sunday")
UNITS = words("""
    zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen
    sixteen seventeen eighteen nineteen
""")
TENS = words("zero ten twenty thirty forty fifty sixty seventy eighty ninety")
ORDINALS = words("""
    first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth
    fourteenth fifteenth sixteenth seventeenth eighteenth nineteenth twentieth twenty-first
    twenty-second twenty-third twenty-fourth twenty-fifth twenty-sixth twenty-seventh twenty-eighth
""")
MEASURES = words(
    "dollars euros feet gallons hours kilograms metres miles minutes pounds weeks yards"
)
