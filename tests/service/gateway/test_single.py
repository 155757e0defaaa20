"""Every RPC with one answer, over HTTP, against the real service."""

from tests.conftest import Serve
from tests.ollama_server import OllamaServer, Reply
from tests.service.gateway.browser import browsing, reason, violations
from tests.stories import TEXT, chapter

HTTP = {"http_address": "127.0.0.1:0"}


async def test_a_child_is_made_read_changed_listed_and_erased(serve: Serve) -> None:
    async with serve(**HTTP) as served, browsing(served) as http:
        profile = {"nickname": "Kim", "age": 7, "reading_level": "beginner", "interests": ["sea"]}
        made = (await http.post("/api/v1/children", json=profile)).json()["child"]
        path = f"/api/v1/children/{made['child_id']}"
        assert made.items() >= (profile | {"language": "en", "avoid_topics": []}).items()
        assert made["create_time"].endswith("Z")
        changed = await http.patch(path, json={"readingLevel": "advanced", "interests": {"topics": []}})
        assert (await http.get(path)).json() == changed.json()
        assert changed.json()["child"]["reading_level"] == "advanced"
        assert changed.json()["child"]["interests"] == []
        page = (await http.get("/api/v1/children", params={"page_size": 1})).json()
        assert [each["child_id"] for each in page["children"]] == [made["child_id"]]
        rest = (await http.get("/api/v1/children", params={"pageToken": page["next_page_token"]})).json()
        assert [each["child_id"] for each in rest["children"]] == ["1"]
        assert (await http.delete(path)).json() == {}
        gone = await http.get(path)
    assert (gone.status_code, reason(gone)) == (404, "CHILD_NOT_FOUND")


async def test_a_story_is_told_in_one_answer_read_listed_and_erased(serve: Serve, ollama: OllamaServer) -> None:
    ollama.reply_with(Reply(content=chapter()))
    async with serve(**HTTP) as served, browsing(served) as http:
        told = (await http.post("/api/v1/stories", json={"child_id": "1", "theme": "night"})).json()
        path = f"/api/v1/stories/{told['complete']['story_id']}"
        assert told["complete"]["story_content"] == TEXT
        assert told["complete"]["finish_reason"] == "stop"
        story = (await http.get(path)).json()["story"]
        # Neither turn led to the first chapter, so neither is there.
        assert not {"choice_id", "custom_user_input"} & set(story["chapters"][0])
        assert story["chapters"][0]["story_content"] == TEXT
        assert len((await http.get("/api/v1/stories", params={"child_id": "1"})).json()["stories"]) == 1
        run = (await http.get(f"/api/v1/runs/{told['run_id']}")).json()["run"]
        assert (run["state"], "error" in run) == ("succeeded", False)
        cancelled = await http.post(f"/api/v1/runs/{told['run_id']}:cancel", json={})
        assert cancelled.json()["run"] == run
        assert len((await http.get("/api/v1/runs?state=succeeded")).json()["runs"]) == 1
        assert (await http.delete(path)).json() == {}
        assert (await http.get(path)).status_code == 404


async def test_what_the_service_refuses_names_the_field(serve: Serve) -> None:
    async with serve(**HTTP) as served, browsing(served) as http:
        answer = await http.post("/api/v1/children", json={"nickname": "Kim", "age": 40})
        other = await http.post("/api/v1/stories", json={"child_id": "1", "themee": "x"})
    assert (answer.status_code, reason(answer)) == (400, "VALIDATION_FAILED")
    assert set(violations(answer)) == {"age"}
    assert set(violations(other)) == {"story.themee"}
