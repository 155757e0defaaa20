"""Where a full stop does not end a sentence: abbreviations of the six languages, in one list.

A word that is also an ordinary word of one of them, and may stand at the end of a sentence, is left out.
"""

import re

_ENGLISH = "mr mrs ms dr st prof jr sr vs etc capt col gen lt sgt rev hon mt ft messrs dept approx"
_GERMAN = "bzw usw ca evtl ggf inkl hr frl fr vgl sog bspw geb gest dipl ing tel mio mrd jh bzgl"
_FRENCH = "mme mlle mgr ste env ex av bd boul"
_SPANISH = "sra srta sres dra dña ud uds avda pág"
_ITALIAN = "sig sigg dott avv ecc pag egr gent"
_POLISH = "np tzn tzw itd itp inż ul św ks wg tj godz"
_ALWAYS = frozenset(" ".join([_ENGLISH, _GERMAN, _FRENCH, _SPANISH, _ITALIAN, _POLISH]).split())
_NUMBERED = "no nos nr núm num n nº p pp s str art cap chap fig vol ch abb kap poz rys t"
_BEFORE_A_NUMBER = frozenset(_NUMBERED.split())
_ENDING = frozenset(["a.m", "p.m"])
_MONTHS = "januar jänner februar märz april mai juni juli august september oktober november dezember"
_GERMAN_MONTHS = frozenset(_MONTHS.split())
_DOTTED = re.compile(r"[^\W\d_](?:\.[^\W\d_]{1,2})+")


def is_abbreviation(word: str, following: str) -> bool:
    """Whether the full stop behind a word belongs to it: "Mr", "J", "z", "e.g"; "Nr" before a figure alone."""
    if len(word) == 1 and word.isalpha():
        return True
    lower = word.lower()
    if lower in _ALWAYS or (following.isdigit() and lower in _BEFORE_A_NUMBER):
        return True
    return lower not in _ENDING and _DOTTED.fullmatch(lower) is not None


def is_month(word: str) -> bool:
    """Whether a figure with a full stop before this word is a German date."""
    return word.lower() in _GERMAN_MONTHS
