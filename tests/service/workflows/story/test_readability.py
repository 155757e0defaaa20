"""The school grade of a text, by the formula of its language; offline, bounded, and without a trace."""

import itertools
import math
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.workflows.story import readability
from service.workflows.story.readability import HIGHEST_GRADE, grade

# The same three stories in each language, for readers of about 5, 7 and 9 years, and a sentence for nobody.
_TEXTS = {
    "en": (
        "There is a little bear. His name is Bruno. Bruno is hungry. He looks for honey. Where is the honey? The bee "
        "helps him. She flies ahead. Bruno runs behind her. There is the tree! The honey tastes so good.",
        "Mia lives in an old house by the forest. Every morning she feeds her three hens. Today one of them is "
        "missing. Mia looks in the shed and behind the barn, but she finds only a few feathers. Then she hears a soft "
        "clucking. The hen is sitting at the top of the apple tree and does not dare to come down.",
        "When Jonas opened his eyes the next morning, the garden lay under a thick blanket of snow. He dressed "
        "quickly, slipped into his lined boots and ran outside before his sister had even woken up. Between the apple "
        "trees he discovered a curious trail that led straight to the old summerhouse.",
        "Meanwhile, the extraordinarily patient astronomer adjusted her magnificent telescope, wondering silently "
        "whether the mysterious constellation above the mountains would ever disclose its ancient secrets to anybody "
        "who had not devoted several decades to observation.",
    ),
    "de": (
        "Da ist ein kleiner Bär. Er heißt Bruno. Bruno hat Hunger. Er sucht Honig. Wo ist der Honig? Die Biene hilft "
        "ihm. Sie fliegt voraus. Bruno läuft hinterher. Da ist der Baum! Der Honig schmeckt so gut.",
        "Mia wohnt in einem alten Haus am Waldrand. Jeden Morgen füttert sie ihre drei Hühner. Heute fehlt eins von "
        "ihnen. Mia sucht im Stall und hinter der Scheune, aber sie findet nur ein paar Federn. Da hört sie ein "
        "leises Gackern. Das Huhn sitzt oben auf dem Apfelbaum und traut sich nicht mehr herunter.",
        "Als Jonas am nächsten Morgen die Augen aufschlug, lag der Garten unter einer dicken Schneedecke. Er zog sich "
        "rasch an, schlüpfte in die gefütterten Stiefel und rannte hinaus, bevor seine Schwester überhaupt aufgewacht "
        "war. Zwischen den Apfelbäumen entdeckte er eine merkwürdige Spur, die geradewegs zum alten Gartenhaus "
        "führte.",
        "Währenddessen betrachtete die außerordentlich geduldige Astronomin durch das hervorragend eingestellte "
        "Beobachtungsinstrument jene geheimnisvollen Sternbilder, deren wissenschaftliche Bedeutung seit "
        "Jahrhunderten leidenschaftlich diskutiert wird.",
    ),
    "es": (
        "Hay un oso pequeño. Se llama Bruno. Bruno tiene hambre. Busca miel. ¿Dónde está la miel? La abeja lo ayuda. "
        "Ella vuela delante. Bruno corre detrás. ¡Allí está el árbol! La miel sabe muy bien.",
        "Mía vive en una casa vieja junto al bosque. Cada mañana da de comer a sus tres gallinas. Hoy falta una de "
        "ellas. Mía busca en el corral y detrás del granero, pero solo encuentra unas plumas. Entonces oye un cacareo "
        "muy bajito. La gallina está en lo alto del manzano y no se atreve a bajar.",
        "Cuando Jonás abrió los ojos a la mañana siguiente, el jardín estaba cubierto por una gruesa capa de nieve. "
        "Se vistió deprisa, se puso las botas forradas y salió corriendo antes de que su hermana se despertara. Entre "
        "los manzanos descubrió una huella extraña que llevaba directamente a la vieja caseta.",
        "Mientras tanto, la extraordinariamente paciente astrónoma ajustaba su magnífico telescopio, preguntándose "
        "silenciosamente si las misteriosas constelaciones que dominaban las montañas revelarían algún día sus "
        "antiquísimos secretos.",
    ),
    "fr": (
        "Voici un petit ours. Il s'appelle Bruno. Bruno a faim. Il cherche du miel. Où est le miel ? L'abeille "
        "l'aide. Elle vole devant lui. Bruno court derrière. Voilà l'arbre ! Le miel est si bon.",
        "Mia habite dans une vieille maison près de la forêt. Chaque matin, elle nourrit ses trois poules. "
        "Aujourd'hui, il en manque une. Mia cherche dans l'étable et derrière la grange, mais elle ne trouve que "
        "quelques plumes. Alors elle entend un petit gloussement. La poule est tout en haut du pommier et n'ose plus "
        "descendre.",
        "Quand Jonas ouvrit les yeux le lendemain matin, le jardin disparaissait sous une épaisse couche de neige. Il "
        "s'habilla rapidement, enfila ses bottes fourrées et sortit en courant avant que sa sœur ne se réveille. "
        "Entre les pommiers, il découvrit une trace étrange qui menait directement à la vieille cabane.",
        "Pendant ce temps, l’astronome extraordinairement patiente réglait son magnifique télescope en se demandant "
        "silencieusement si les constellations mystérieuses qui dominaient les montagnes révéleraient un jour leurs "
        "secrets millénaires.",
    ),
    "it": (
        "C'è un piccolo orso. Si chiama Bruno. Bruno ha fame. Cerca il miele. Dov'è il miele? L'ape lo aiuta. Lei "
        "vola davanti. Bruno corre dietro. Ecco l'albero! Il miele è così buono.",
        "Mia abita in una vecchia casa vicino al bosco. Ogni mattina dà da mangiare alle sue tre galline. Oggi ne "
        "manca una. Mia cerca nella stalla e dietro il fienile, ma trova solo qualche piuma. Allora sente un verso "
        "leggero. La gallina è in cima al melo e non ha il coraggio di scendere.",
        "Quando Giona aprì gli occhi la mattina dopo, il giardino era coperto da uno spesso strato di neve. Si vestì "
        "in fretta, infilò gli stivali imbottiti e corse fuori prima che sua sorella si svegliasse. Tra i meli scoprì "
        "una strana traccia che portava direttamente alla vecchia casetta.",
        "Nel frattempo la straordinariamente paziente astronoma regolava il suo magnifico telescopio, domandandosi "
        "silenziosamente se le misteriose costellazioni che dominavano le montagne avrebbero mai rivelato i loro "
        "antichissimi segreti.",
    ),
    "pl": (
        "To jest mały miś. Nazywa się Bruno. Bruno jest głodny. Szuka miodu. Gdzie jest miód? Pszczoła mu pomaga. Ona "
        "leci przodem. Bruno biegnie za nią. Oto drzewo! Miód jest taki dobry.",
        "Mia mieszka w starym domu pod lasem. Co rano karmi swoje trzy kury. Dzisiaj jednej brakuje. Mia szuka w "
        "kurniku i za stodołą, ale znajduje tylko kilka piór. Nagle słyszy ciche gdakanie. Kura siedzi na samym "
        "szczycie jabłoni i boi się zejść.",
        "Kiedy Jonasz otworzył oczy następnego ranka, ogród leżał pod grubą warstwą śniegu. Szybko się ubrał, włożył "
        "ocieplane buty i wybiegł na dwór, zanim jego siostra zdążyła się obudzić. Między jabłoniami odkrył dziwny "
        "ślad, który prowadził prosto do starej altanki.",
        "Tymczasem niezwykle cierpliwa astronomka ustawiała swój wspaniały teleskop, zastanawiając się w milczeniu, "
        "czy tajemnicze gwiazdozbiory ponad górami kiedykolwiek ujawnią swoje starożytne tajemnice niecierpliwym "
        "obserwatorom.",
    ),
}
_LANGUAGES = sorted(_TEXTS)

_OFFLINE = """
import socket, sys, urllib.request

def refused(*args, **kwargs):
    raise AssertionError("the network was asked for")

socket.socket.connect = socket.socket.connect_ex = socket.getaddrinfo = socket.create_connection = refused
urllib.request.urlopen = refused
from service.workflows.story.readability import grade
import nltk
nltk.download = nltk.data.find = refused
print(grade(sys.argv[1], "en"), grade(sys.argv[1], "en-GB"), grade(sys.argv[1], "en_US"))
"""


@pytest.mark.parametrize("language", _LANGUAGES)
def test_harder_texts_have_higher_grades(language: str) -> None:
    grades = [grade(text, language) or 0.0 for text in _TEXTS[language]]
    assert all(easier < harder for easier, harder in itertools.pairwise(grades)), grades
    assert grades[0] < 2, grades
    assert grades[2] >= 4.5, grades
    assert grades[3] > 9, grades


@pytest.mark.parametrize("language", _LANGUAGES)
def test_parallel_texts_are_about_as_hard_in_every_language(language: str) -> None:
    for text, english in zip(_TEXTS[language], _TEXTS["en"][:3], strict=False):
        assert abs((grade(text, language) or 0) - (grade(english, "en") or 0)) <= 2.5


@pytest.mark.parametrize("tag", ["en", "EN", "en-GB", "en_US", "en-Latn-GB-oxendict"])
def test_the_primary_subtag_counts(tag: str) -> None:
    assert grade(_TEXTS["en"][1], tag) == grade(_TEXTS["en"][1], "en")


@pytest.mark.parametrize("tag", ["ja", "hi", "nl", "und", "", "-", "english", "x-klingon"])
def test_other_languages_have_no_grade(tag: str) -> None:
    assert grade(_TEXTS["en"][1], tag) is None


@pytest.mark.parametrize("language", _LANGUAGES)
@pytest.mark.parametrize("text", ["", " \n\n ", "…", "?!", "🦊🌙❤️", "— – -", "'’'", "12 345", "___"])
def test_a_text_without_words_has_no_grade(text: str, language: str) -> None:
    assert grade(text, language) is None


@pytest.mark.parametrize("language", _LANGUAGES)
@pytest.mark.parametrize(
    "text", ["a", "Donaudampfschifffahrt", "Oh! No!", "a" * 50_000, "a. " * 9_000, "''a''", "ǅ", "森"]
)
def test_odd_texts_have_a_grade_within_bounds(text: str, language: str) -> None:
    assert 0 <= (grade(text, language) or 0) <= HIGHEST_GRADE


@settings(deadline=None, max_examples=60)
@given(text=st.text(max_size=200), language=st.sampled_from(_LANGUAGES))
def test_every_grade_is_finite_and_has_one_decimal(text: str, language: str) -> None:
    result = grade(text, language)
    assert result is None or (math.isfinite(result) and 0 <= result <= HIGHEST_GRADE and round(result, 1) == result)


def test_typography_changes_nothing() -> None:
    plain = "He said: 'Don't go.' It's late - so she stays. Really..."
    assert grade("He said: ‘Don’t go.’ It’s late — so she stays. Really…", "en") == grade(plain, "en")
    assert grade("Die Bären mögen Äpfel.", "de") == grade("Die Ba\u0308ren mo\u0308gen A\u0308pfel.", "de")


def test_nothing_is_downloaded_or_written(tmp_path: Path) -> None:
    """In a process of its own: whatever an import or a first use would fetch, it would fetch here."""
    home = {"HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path), "NLTK_DATA": str(tmp_path)}
    result = subprocess.run(
        [sys.executable, "-c", _OFFLINE, _TEXTS["en"][1]],
        env=os.environ | home,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout.split() == [str(grade(_TEXTS["en"][1], "en"))] * 3
    assert not list(tmp_path.iterdir())


def test_no_text_is_kept() -> None:
    backend = readability._textstat()
    for language in _LANGUAGES:
        grade(_TEXTS[language][2], language)
    parts = (backend.transformations, backend.selections, backend.counts, backend.metrics, backend.validations)
    assert [name for part in parts for name in part.__all__ if getattr(part, name).cache_info().currsize] == []


def test_languages_take_turns() -> None:
    alone = {language: grade(_TEXTS[language][1], language) for language in _LANGUAGES}
    for first, second in itertools.permutations(_LANGUAGES, 2):
        assert (grade(_TEXTS[first][1], first), grade(_TEXTS[second][1], second)) == (alone[first], alone[second])


@pytest.mark.parametrize("language", _LANGUAGES)
def test_of_a_long_text_the_beginning_is_measured(language: str) -> None:
    long_text = (_TEXTS[language][1] + " ") * (100_000 // len(_TEXTS[language][1]))
    assert grade(long_text, language) is not None
    assert grade(long_text + _TEXTS[language][3] * 100, language) == grade(long_text, language)
