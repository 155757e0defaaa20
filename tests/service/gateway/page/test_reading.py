"""A child chooses, reads, and says how it goes on."""

from playwright.async_api import expect

from tests.conftest import Serve
from tests.harness import serving
from tests.ollama_server import OllamaServer, Reply
from tests.service.gateway.page.conftest import Play
from tests.service.gateway.page.reader import PAGE, page_of, plain
from tests.stories import TEXT, chapter


async def test_a_child_chooses_reads_chooses_and_reads_to_the_end(play: Play) -> None:
    async with serving(**PAGE) as served, play(page_of(served)) as reader:
        await reader.begin(chapters=2)
        first = await reader.finish()
        await expect(reader.page.locator(".chapter-number")).to_have_text("Chapter 1 of 2")
        words = await reader.choices.first.locator("span").first.inner_text()
        await reader.choices.first.click()
        await expect(reader.page.locator(".turn q")).to_have_text(words)
        await reader.page.locator(".the-end").wait_for()
        await reader.heading("The end")
        second = await reader.text()
        chapters = await reader.stored()
    assert [plain(each) for each in chapters] == [first, second]


async def test_a_picture_begins_a_story_and_own_words_lead_on(play: Play) -> None:
    async with serving(**PAGE) as served, play(page_of(served)) as reader:
        await reader.choose_reader()
        await reader.press("A small boat")
        await reader.finish()
        await reader.page.fill("#own-words", "they build a raft of marmalade jars")
        await reader.press("And then …")
        await expect(reader.page.locator(".turn q")).to_have_text("they build a raft of marmalade jars")
        await reader.finish()
        await expect(reader.page.locator(".chapter-number")).to_have_text("Chapter 2 of 5")


async def test_the_keyboard_alone_is_enough(serve: Serve, ollama: OllamaServer, play: Play) -> None:
    ollama.reply_by_default(Reply(content=chapter()))
    async with serve(**PAGE) as served, play(page_of(served)) as reader:
        await reader.choose_reader()
        await reader.reach("A shy fox")
        await reader.page.keyboard.press("Enter")
        assert await reader.finish() == plain(TEXT)
        await reader.reach("She visits the badger")
        await reader.page.keyboard.press("Enter")
        await expect(reader.page.locator(".turn q")).to_have_text("She visits the badger")
        await reader.finish()


async def test_a_screen_reader_hears_each_sentence_whole_and_once(
    serve: Serve, ollama: OllamaServer, play: Play
) -> None:
    ollama.reply_by_default(Reply(content=chapter(), chunk_chars=1))
    async with serve(**PAGE) as served, play(page_of(served)) as reader:
        await reader.page.evaluate("""() => {
            window.heard = [];
            const hear = (node) => heard.push(node.textContent);
            const note = (all) => all.forEach((each) => each.addedNodes.forEach(hear));
            new MutationObserver(note).observe(document.getElementById("announcer"), { childList: true });
        }""")
        await reader.page.locator("button.reader").last.click()
        await reader.page.fill("#theme", "stars")
        await reader.press("Tell it")
        await reader.finish()
        heard = [each.strip() for each in await reader.page.evaluate("heard")]
        told = [each.strip() for each in await reader.sentences.all_text_contents()]
    assert [each for each in heard if each in TEXT] == told
    assert plain(" ".join(told)) == plain(TEXT)


async def test_reading_aloud_marks_the_sentence_pauses_and_reads_every_one(
    serve: Serve, ollama: OllamaServer, play: Play
) -> None:
    ollama.reply_by_default(Reply(content=chapter()))
    async with serve(**PAGE) as served, play(page_of(served)) as reader:
        await reader.page.evaluate("window.slow = true")
        await reader.begin()
        await reader.finish()
        await reader.press("Read aloud")
        spoken = reader.page.locator(".spoken")
        await expect(spoken).to_have_text("Once there was a small fox called Ember.")
        await reader.page.evaluate("spoken()")
        await expect(spoken).to_have_text("She lived under the old oak — the one with a door!")
        await reader.press("Pause reading")
        await expect(reader.page.get_by_role("button", name="Go on reading")).to_be_visible()
        await reader.page.evaluate("window.slow = false")
        await reader.press("Go on reading")
        await expect(spoken).to_have_count(0)
        said = await reader.page.evaluate("said")
        told = [each.strip() for each in await reader.sentences.all_text_contents()]
    assert [*dict.fromkeys(said)] == told


async def test_a_reader_is_added_changed_and_forgotten(play: Play) -> None:
    async with serving(**PAGE) as served, play(page_of(served)) as reader:
        page = reader.page
        await reader.follow("Add a reader")
        await page.fill("#nickname", "Kim")
        await page.locator("input[name=age][value='9']").check()
        await reader.press("dinosaurs")
        await page.fill("#interests-own", "submarines")
        await page.fill("#avoid_topics-own", "wasps")
        await reader.press("Let us read")
        await expect(page.locator("#to-readers")).to_contain_text("Kim")
        (kim,) = [each for each in (await reader.fetch("/api/v1/children"))["children"] if each["nickname"] == "Kim"]
        await page.locator("#to-readers").click()
        await page.get_by_role("link", name="Change Kim").first.click()
        await expect(page.get_by_role("button", name="submarines")).to_have_attribute("aria-pressed", "true")
        await reader.press("Forget this reader")
        await reader.press("Yes, forget")
        await reader.heading("Who is reading")
        left = (await reader.fetch("/api/v1/children"))["children"]
    assert (kim["age"], kim["interests"], kim["avoid_topics"]) == (9, ["dinosaurs", "submarines"], ["wasps"])
    assert [each["nickname"] for each in left if each["nickname"] == "Kim"] == []


async def test_text_size_letters_and_light_outlast_a_reload(play: Play) -> None:
    async with serving(**PAGE) as served, play(page_of(served)) as reader:
        await reader.press("Text and light")
        await reader.press("Larger")
        await reader.page.get_by_label("Easier to tell apart").check()
        await reader.page.get_by_label("Bedtime").check()
        await reader.press("Done")
        await reader.page.reload()
        kept = await reader.page.evaluate("({...document.documentElement.dataset})")
    assert kept == {"light": "night", "size": "4", "letters": "easy"}
