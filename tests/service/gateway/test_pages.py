"""The reading page's files, and what describes the routes."""

import re
from pathlib import Path

import pytest

from tests.service.gateway.upstream import Fronted, fronted


@pytest.fixture
def page(tmp_path: Path) -> Path:
    (tmp_path / "index.html").write_text("<!doctype html><title>Page</title>", encoding="utf-8")
    (tmp_path / "main.js").write_text("export {};", encoding="utf-8")
    (tmp_path / "mark.svg").write_text("<svg xmlns='http://www.w3.org/2000/svg'/>", encoding="utf-8")
    return tmp_path


async def test_files_come_with_their_types_and_nothing_from_elsewhere(page: Path) -> None:
    async with fronted(page=page) as front:
        index = await front.http.get("/")
        script = await front.http.get("/static/main.js")
        mark = await front.http.get("/static/mark.svg")
    assert (index.status_code, index.text) == (200, "<!doctype html><title>Page</title>")
    assert index.headers["content-type"] == "text/html; charset=utf-8"
    assert "javascript" in script.headers["content-type"]
    assert mark.headers["content-type"].startswith("image/svg+xml")
    policy = index.headers["content-security-policy"]
    assert "default-src 'self'" in policy
    assert "http" not in policy
    assert "unsafe" not in policy
    assert index.headers["x-content-type-options"] == "nosniff"


async def test_a_file_that_has_not_changed_is_not_sent_again(page: Path) -> None:
    async with fronted(page=page) as front:
        first = await front.http.get("/static/main.js")
        again = await front.http.get("/static/main.js", headers={"If-None-Match": first.headers["etag"]})
        (page / "main.js").write_text("export const changed = 1;", encoding="utf-8")
        changed = await front.http.get("/static/main.js", headers={"If-None-Match": first.headers["etag"]})
    assert first.headers["cache-control"] == "no-cache"
    assert (again.status_code, again.content) == (304, b"")
    assert (changed.status_code, changed.text) == (200, "export const changed = 1;")


@pytest.mark.parametrize(
    "path", ["/static/", "/static/none.js", "/static/%2e%2e/secret", "/static/..%2fsecret", "/main.js"]
)
async def test_nothing_but_the_files_is_served(page: Path, path: str) -> None:
    (page.parent / "secret").write_text("secret", encoding="utf-8")
    async with fronted(page=page) as front:
        answer = await front.http.get(path)
    assert answer.status_code == 404
    assert answer.json()["error"]["status"] == "NOT_FOUND"


async def test_files_are_read_and_not_written(page: Path) -> None:
    async with fronted(page=page) as front:
        posted = await front.http.post("/static/main.js")
        head = await front.http.head("/")
    assert (posted.status_code, posted.headers["allow"]) == (405, "GET, HEAD, OPTIONS")
    assert (head.status_code, head.content) == (200, b"")


async def described(front: Fronted) -> dict[str, dict[str, object]]:
    answer = await front.http.get("/openapi.json")
    assert answer.headers["content-type"] == "application/json"
    return dict(answer.json())


async def test_every_route_is_described() -> None:
    async with fronted() as front:
        description = await described(front)
        page = await front.http.get("/docs")
    assert str(description["openapi"]).startswith("3.1")
    assert set(description["paths"]) == {
        "/api/v1/runs",
        "/api/v1/runs/{run_id}",
        "/api/v1/runs/{run_id}:cancel",
        "/api/v1/runs/{run_id}:pause",
        "/api/v1/runs/{run_id}:continue",
        "/api/v1/stories",
        "/api/v1/stories/{story_id}",
        "/api/v1/stories/generate/stream",
        "/api/v1/stories/runs/{run_id}/stream",
    }
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    for path in description["paths"]:
        assert f"<code>{path}</code>" in page.text
    assert not re.search(r"(src|href)=\"(https?:)?//", page.text)


async def test_each_reference_leads_somewhere_and_ids_are_unique() -> None:
    async with fronted() as front:
        answer = await front.http.get("/openapi.json")
    description = answer.json()
    schemas = {f"#/components/schemas/{name}" for name in description["components"]["schemas"]}
    assert set(re.findall(r'"\$ref":"([^"]+)"', answer.text)) <= schemas
    ids = [each["operationId"] for path in description["paths"].values() for each in path.values()]
    assert len(ids) == len(set(ids))
