"""A tale: its chapters in branches, and what is kept of each."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.errors import ChapterNotFound
from service.workflows.story.tale import Bible, Character, StoredChapter, Tale, header
from tests.service.workflows.story.samples import artifact, make_chapter

ONE, TWO, THREE = make_chapter(1), make_chapter(2), make_chapter(3)
OTHER = make_chapter(2, chapter_id="other", choice_id="2", turn="She sleeps")


def tale(*chapters: StoredChapter) -> Tale:
    return Tale([artifact(chapter) for chapter in chapters])


def test_a_branch_leads_from_the_first_chapter_to_the_one_asked_for() -> None:
    whole = tale(ONE, TWO, THREE, OTHER)
    assert whole.branch("run-3") == (ONE, TWO, THREE)
    assert whole.branch("other") == (ONE, OTHER)
    assert whole.branch("run-1") == (ONE,)


def test_without_a_chapter_the_newest_one_is_meant() -> None:
    assert tale(ONE, TWO, THREE, OTHER).branch("") == (ONE, OTHER)


def test_a_chapter_of_another_story_is_none_of_this_one() -> None:
    with pytest.raises(ChapterNotFound):
        tale(ONE, TWO).branch("run-9")


def test_the_story_shows_every_branch_with_the_turns_that_led_there() -> None:
    story = tale(ONE, TWO, OTHER, make_chapter(3, custom_user_input="She flies", turn="She flies")).message()
    assert [(each.chapter_id, each.parent_chapter_id, each.chapter_number) for each in story.chapters] == [
        ("run-1", "", 1),
        ("run-2", "run-1", 2),
        ("other", "run-1", 2),
        ("run-3", "run-2", 3),
    ]
    assert story.chapters[2].choice_id == "2"
    assert story.chapters[3].custom_user_input == "She flies"
    assert story.chapters[0].WhichOneof("turn") is None
    assert [(each.id, each.text) for each in story.chapters[0].choices] == [("1", "She sings"), ("2", "She sleeps")]
    assert (story.story_id, story.child_id, story.planned_chapters) == ("tale", "1", 5)


def test_a_list_shows_a_story_without_its_chapters() -> None:
    first, newest = artifact(ONE), artifact(TWO)
    story = header(first, newest)
    assert not story.chapters
    assert (story.title, story.theme) == (ONE.title, ONE.theme)
    assert story.create_time.ToNanoseconds() == first.create_time_ns
    assert story.update_time.ToNanoseconds() == newest.create_time_ns


def test_a_choice_is_known_by_its_number_from_one() -> None:
    assert [ONE.choice(each) for each in ("1", "2", "3", "0", "", "x")] == [
        "She sings",
        "She sleeps",
        None,
        None,
        None,
        None,
    ]


def test_the_last_planned_chapter_is_the_last() -> None:
    assert [make_chapter(number).is_last for number in (1, 4, 5, 6)] == [False, False, True, True]


def test_an_untidy_bible_keeps_what_is_in_order() -> None:
    bible = Bible.lenient(
        {
            "characters": [{"name": "Ember", "about": "a fox"}, {"name": ""}, "Owl", {"about": "no name"}, {"name": 3}],
            "places": ["the oak", 7, "", "x" * 161, None],
            "open_threads": "the lost key",
            "more": 1,
        }
    )
    assert bible == Bible(characters=(Character(name="Ember", about="a fox"),), places=("the oak",))


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from(["characters", "places", "open_threads", "name", "about"]), inner)
        ),
        max_leaves=12,
    )
)
def test_no_bible_is_too_odd_to_be_read(value: object) -> None:
    bible = Bible.lenient(value)
    assert Bible.lenient(bible.model_dump()) == bible


def test_a_bible_is_bounded() -> None:
    bible = Bible.lenient(
        {"characters": [{"name": f"C{n}"} for n in range(50)], "places": ["p"] * 50, "open_threads": ["t"] * 50}
    )
    assert (len(bible.characters), len(bible.places), len(bible.open_threads)) == (8, 8, 6)


def test_a_chapter_of_a_later_version_is_read_all_the_same() -> None:
    kept = ONE.model_dump() | {"mood": "calm", "bible": {"characters": [{"name": "Ember", "age": 7}], "songs": []}}
    assert StoredChapter.model_validate(kept).bible.characters[0].name == "Ember"
