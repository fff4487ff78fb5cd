"""The pages of the console, on a whole system in this process."""

from __future__ import annotations

from contextlib import suppress

from share_actors.cli.console.system_source import SystemSource
from share_actors.errors import OperationFailed
from share_actors.values import RequestContext
from tests.console.site import Site, browser_of, config, play
from tests.waiting import until_async

SCRIPT = "<script>alert(1)</script>"
ESCAPED = "&lt;script&gt;alert(1)&lt;/script&gt;"
PAGES = ("/", "/shares", "/capacity", "/placements", "/events")


def test_every_page_of_an_empty_system_says_what_there_is() -> None:
    async def scenario(site: Site) -> None:
        texts = {path: await site.page(path) for path in PAGES}

        assert "Nothing needs attention" in texts["/"]
        assert "No share matches" in texts["/shares"]
        assert "No share was placed lately" in texts["/placements"]
        assert all("<b>share-actors</b> as " in text for text in texts.values())

    play(scenario)


def test_what_a_tenant_names_is_text_on_every_page() -> None:
    async def scenario(site: Site) -> None:
        share = await site.system.create_share(
            size=1, name=SCRIPT, description='"><img src=x>', metadata={SCRIPT: SCRIPT}
        )
        await share.allow_access("10.0.0.0/8", type="ip")

        for path in ("/shares", "/placements", "/events", f"/shares/{share.id}"):
            text = await site.page(path)
            assert ESCAPED in text, path
            assert SCRIPT not in text, path
            assert "<img src=x>" not in text, path

    play(scenario)


def test_work_that_goes_on_is_shown_with_who_asked_for_it() -> None:
    async def scenario(site: Site) -> None:
        await site.system.create_share(size=1, name="slow", backend="other", wait=False)
        text = await until_async(lambda: shown(site, "in progress since"))

        assert "Nothing needs attention" in text
        assert "under way" in text
        assert "create it" in text
        assert "1</b> creating" in text

    async def shown(site: Site, words: str) -> str:
        text = await site.page("/")
        return text if words in text else ""

    play(scenario, config(hang=["create_share"], hang_s=0.5))


def test_a_share_in_error_needs_attention_and_says_what_to_do() -> None:
    async def scenario(site: Site) -> None:
        receipt = await site.system.create_share(size=1, name="home", backend="other", wait=False)
        await until_async(lambda: failed(site))
        text = await site.page("/")

        assert "1 thing needs attention" in text
        assert "disk is on fire" in text
        assert "<code>share retry</code> repeats what failed" in text
        assert f'href="/shares/{receipt.id}"' in text
        assert f'href="/shares/{receipt.id}"' in await site.page("/shares?status=error")

    async def failed(site: Site) -> int:
        return (await site.system.count_shares()).get("error", 0)

    play(scenario, config(fail={"create_share": "disk is on fire"}))


def test_a_rule_that_failed_is_found_though_its_share_is_available() -> None:
    async def scenario(site: Site) -> None:
        share = await site.system.create_share(size=1, name="home", backend="other")
        with suppress(OperationFailed):
            await share.allow_access("10.0.0.7", type="ip")
        text = await until_async(lambda: shown(site))

        assert "failed to apply access rule" in text

    async def shown(site: Site) -> str:
        text = await site.page("/")
        return text if "is refused" in text else ""

    play(scenario, config(refuse_access_to=["10.0.0.7"]))


def test_a_backend_that_is_down_is_named_with_its_reason() -> None:
    async def scenario(site: Site) -> None:
        text = await until_async(lambda: down(site))

        assert "no route to the filer" in text
        assert "share-actors backend history other" in text
        assert "no route to the filer" in await site.page("/capacity")

    async def down(site: Site) -> str:
        text = await site.page("/")
        return text if "Backend other is down" in text else ""

    play(scenario, config(fail={"get_share_stats": "no route to the filer"}))


def test_a_long_list_is_read_a_page_at_a_time() -> None:
    async def scenario(site: Site) -> None:
        await site.system.create_shares([{"size": 1, "name": f"team-{n:03}"} for n in range(60)])
        first = await site.page("/shares")
        following = first.split('rel="next" href="')[1].split('"')[0].replace("&amp;", "&")
        second = await site.page(following)

        assert "60 shares" in first
        assert (first.count("team-"), second.count("team-")) == (50, 10)
        assert 'rel="next"' not in second
        assert "First page" in second

    play(scenario)


def test_a_share_is_found_by_its_name_and_by_its_id() -> None:
    async def scenario(site: Site) -> None:
        await site.system.create_share(size=1, name="other")
        share = await site.system.create_share(size=1, name="home")

        for searched in ("home", share.id):
            text = await site.page(f"/shares?q={searched}")
            assert share.id in text
            assert ">other<" not in text
        assert "No share matches" in await site.page("/shares?q=hom")
        assert (await site.browser.get("/shares/home")).headers["location"] == f"/shares/{share.id}"

    play(scenario)


def test_a_timeline_says_who_asked_for_what_with_its_requests_and_attempts() -> None:
    async def scenario(site: Site) -> None:
        alice = RequestContext(user_id="alice", project_id="research", roles=("member",))
        share = await site.system.as_user(alice).create_share(
            size=1, name="home", command_id="first-request"
        )
        await share.extend(2, command_id="second-request")
        text = await site.page(f"/shares/{share.id}")
        only = await site.page(f"/shares/{share.id}?command=second-request")

        assert "alice (project research)" in text
        assert "first-request" in text
        assert "attempt 1" in text
        assert "share.creation_requested" in text
        assert "share.resized" in only
        assert "share.creation_requested" not in only

    play(scenario)


def test_a_long_timeline_has_pages_from_the_newest_to_the_oldest() -> None:
    async def scenario(site: Site) -> None:
        share = await site.system.create_share(size=1, name="home")
        for n in range(100):
            await share.set(description=f"change {n}")
        newest = await site.page(f"/shares/{share.id}")
        older = newest.split('id="older"')[1].split('href="')[1].split("#")[0]
        oldest = await site.page(older)

        assert "change 99" in newest
        assert "share.creation_requested" not in newest
        assert "share.creation_requested" in oldest
        assert "change 99" not in oldest.split("Timeline")[1]

    play(scenario)


def test_a_placement_tells_the_verdict_on_every_pool() -> None:
    async def scenario(site: Site) -> None:
        share = await site.system.create_share(size=500, name="large", backend="main")

        for path in ("/placements", f"/shares/{share.id}"):
            text = await site.page(path)
            assert "main#bulk" in text
            assert ">chosen<" in text
            assert "<b>capacity</b>" in text.split("main#fast")[1]

    play(scenario)


def test_capacity_is_shown_by_backend_and_pool_from_the_log() -> None:
    async def scenario(site: Site) -> None:
        await until_async(lambda: reported(site))
        text = await site.page("/capacity")

        assert "Pools of main" in text
        assert "1,000 GiB" in text
        assert 'class="total" d="M0' in text
        assert "hour" in await site.page("/capacity?range=hour")
        assert "is not one of" in await site.page("/capacity?range=decade", 400)

    async def reported(site: Site) -> bool:
        return len((await site.system.backends.list()).items) == 2

    play(scenario)


def test_what_does_not_exist_is_said_to_be_absent() -> None:
    async def scenario(site: Site) -> None:
        assert "Not found" in await site.page("/nothing", 404)
        assert "there is no share" in await site.page("/shares/nothing", 404)
        assert "Not found" in await site.page("/shares/a/b", 404)
        assert (await site.browser.post("/shares")).status_code == 405

    play(scenario)


def test_a_user_of_a_project_sees_its_shares_and_is_told_what_is_not_for_the_role() -> None:
    async def scenario(site: Site) -> None:
        await site.system.create_share(size=1, name="secret")
        reader = RequestContext(user_id="bob", project_id="p", roles=("reader",))
        source = SystemSource(site.system.as_user(reader))
        async with browser_of(source, site.keys) as browser:
            texts = {path: (await browser.get(path)).text for path in PAGES}

        assert "not for your role" in texts["/"]
        assert "Nothing needs attention" in texts["/"]
        assert "not for your role" in texts["/events"]
        assert "as bob, project p" in texts["/"]
        assert all("secret" not in text for text in texts.values())

    play(scenario)
