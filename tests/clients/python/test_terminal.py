"""On a terminal no word is broken and no story is overwritten; on a pipe every byte is as it was."""

import io
import itertools
import re

from google.protobuf import json_format
from hypothesis import given
from hypothesis import strategies as st

from fabula import StoryEvent
from fabula.listing import json_line
from fabula.story.v1.story_pb2 import Content
from fabula.target import Target
from fabula.teller import Teller, command
from fabula.terminal import Terminal, WordWrap
from tests.clients.python.scripted import content, good_run, retraction


class Tty(io.StringIO):
    def isatty(self) -> bool:
        return True


def wrapped(*chunks: str, width: int = 20) -> str:
    wrap = WordWrap(lambda: width)
    return "".join([wrap.feed(chunk) for chunk in chunks] + [wrap.end_line()])


def test_lines_end_between_words() -> None:
    assert wrapped("The little fox looked up at the sky.") == "The little fox\nlooked up at the\nsky.\n"


def test_a_word_that_comes_in_pieces_is_not_broken() -> None:
    assert wrapped("The little fox lo", "ok", "ed up.") == "The little fox\nlooked up.\n"


def test_a_finished_sentence_is_shown_at_once() -> None:
    assert WordWrap(lambda: 80).feed("She feared the dark.") == "She feared the dark."


def test_paragraphs_stay_paragraphs() -> None:
    assert wrapped("One.\n\nTwo.") == "One.\n\nTwo.\n"


@given(st.text(alphabet="ab .\n", max_size=80), st.lists(st.integers(0, 80), max_size=6), st.integers(8, 30))
def test_no_word_is_lost_and_no_line_too_long_however_the_text_is_cut(text: str, at: list[int], width: int) -> None:
    edges = [0, *sorted(at), len(text)]
    shown = wrapped(*(text[a:b] for a, b in itertools.pairwise(edges)), width=width)
    assert shown.split() == text.split()
    assert all(len(line) <= width or " " not in line for line in shown.split("\n"))


def test_a_pipe_gets_the_story_byte_for_byte() -> None:
    out, err = io.StringIO(), io.StringIO()
    screen = Terminal(out, err, lambda: 10)
    for chunk in ("One  long ", "sentence that\n\n wraps", " not at all.\n"):
        screen.story(chunk)
    screen.end_line()
    assert out.getvalue() == "One  long sentence that\n\n wraps not at all.\n"


def test_no_story_and_no_title_commands_the_terminal() -> None:
    terminal, pipe = Tty(), io.StringIO()
    screen = Terminal(terminal, terminal, lambda: 40)
    screen.story("A \x1b[31mred\x1b]0;name\x07 fox\x9b2J.\n")
    screen.say("T\x1b[2Jitle")
    assert terminal.getvalue() == "A [31mred]0;name fox2J.\nT[2Jitle\n"
    Terminal(pipe, pipe, lambda: 40).say("T\x1b[2Jitle")
    assert pipe.getvalue() == "T[2Jitle\n"


def test_an_id_neither_commands_the_terminal_nor_the_shell_into_which_it_is_copied() -> None:
    assert (
        command(Target("192.0.2.7:1"), "watch", "a\x1b[2J;\nrm x") == "fabula --address 192.0.2.7:1 watch 'a[2J; rm x'"
    )


def test_json_escapes_every_control_character_and_is_the_same_message() -> None:
    told = StoryEvent(content=Content(chunk="\x1b[31m\x7f\x9b2J ü…\n"))
    line = json_line(told)
    assert not re.search(r"[\x00-\x1f\x7f-\x9f]", line)
    assert json_format.Parse(line, StoryEvent()) == told


def test_the_status_is_redrawn_on_a_terminal_and_a_line_each_elsewhere() -> None:
    tty, pipe = Tty(), io.StringIO()
    for err in (tty, pipe):
        screen = Terminal(io.StringIO(), err, lambda: 40)
        screen.status(" 5%  writing…")
        screen.status("80%  checking…")
    assert tty.getvalue() == "\r\x1b[K 5%  writing…\r\x1b[K80%  checking…"
    assert pipe.getvalue() == " 5%  writing…\n80%  checking…\n"


def test_the_status_never_overwrites_a_line_of_the_story() -> None:
    terminal = Tty()
    screen = Terminal(terminal, terminal, lambda: 40)
    screen.status("writing…")
    screen.story("Once there was a fox. ")
    screen.status("checking…")
    screen.story("She slept.")
    screen.end_line()
    screen.status("measuring…")
    screen.say("done")
    assert terminal.getvalue() == (
        "\r\x1b[Kwriting…\r\x1b[KOnce there was a fox. She slept.\n\r\x1b[Kmeasuring…\r\x1b[Kdone\n"
    )


def test_an_urgent_status_breaks_the_line_of_the_story_but_no_word() -> None:
    terminal = Tty()
    screen = Terminal(terminal, terminal, lambda: 40)
    screen.story("The fox lo")
    screen.interrupt("connection lost")
    screen.story("oked up.")
    screen.end_line()
    assert terminal.getvalue() == "The fox\n\r\x1b[Kconnection lost\r\x1b[Klooked up.\n"


def test_an_urgent_status_breaks_no_line_on_a_pipe() -> None:
    for err in (io.StringIO(), Tty()):
        out = io.StringIO()
        screen = Terminal(out, err, lambda: 40)
        screen.story("The fox lo")
        screen.interrupt("connection lost")
        screen.story("oked up.")
        assert out.getvalue() == "The fox looked up."
        assert "connection lost" in err.getvalue()


def test_a_retraction_is_told_and_the_new_text_begins_a_line() -> None:
    terminal = Tty()
    teller = Teller(Terminal(terminal, terminal, lambda: 60), Target())
    for event in (content("A wolf", 1), retraction(1, 2), content("A hen.", 1, revision=2, end=True)):
        teller.show(event)
    assert terminal.getvalue() == "A wolf\n(rewriting a passage…)\nA hen.\n"


def test_the_ending_says_what_is_worth_knowing() -> None:
    out, err = io.StringIO(), io.StringIO()
    teller = Teller(Terminal(out, err), Target("192.0.2.7:1"))
    for event in good_run():
        teller.show(event)
    told = err.getvalue()
    assert (
        "The Fox and the Glow-worm, chapter 1 of 3\n1 minute to read, level beginner, told by embedded:storyteller"
        in told
    )
    assert "What does the fox do?\n  [c1] Follow the light\n  [c2] Go home\n" in told
    go_on = "fabula --address 192.0.2.7:1 tell --story-id s1 --chapter-id ch1"
    assert f"\nGo on with a choice: {go_on} --choice-id c1\n" in told
    assert f'\nOr in your own words: {go_on} --turn "..."\n' in told
    assert told.endswith("Run run-1. Watch it again: fabula --address 192.0.2.7:1 watch run-1\n")
    assert " 25%  writing…\n 75%  checking…\n" in told
