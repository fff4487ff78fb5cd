"""`share-actors share create`: one share, or one for each line of a file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from share_actors.cli import batch
from share_actors.cli.batch import BatchIdOption, FromOption
from share_actors.cli.command import command
from share_actors.cli.commands.share.batch_kinds import CREATIONS
from share_actors.cli.commands.share.options import (
    BackendOption,
    DifferentHostOption,
    FromSnapshotOption,
    IdOption,
    MetadataOption,
    NetworkOption,
    NewProtocolOption,
    NewSizeOption,
    PublicOption,
    SameHostOption,
    TypeOption,
    ZoneOption,
    share_size,
)
from share_actors.cli.commands.share.outcome import print_outcome
from share_actors.cli.options import (
    DescriptionOption,
    NameOption,
    NoWaitOption,
    TimeoutOption,
    outcome_timeout,
    parse_pairs,
    set_fields,
)
from share_actors.cli.requesting import CommandIdOption
from share_actors.cli.session import Session
from share_actors.cli.tables import SHARES


@command(
    "share create",
    table=SHARES,
    examples=[
        "share create --size 10 --name data",
        "share create --size 10 --from-snapshot SNAPSHOT_ID --metadata team=web",
        "share create --from shares.csv",
    ],
)
def create(
    session: Session,
    size: NewSizeOption = None,
    name: NameOption = None,
    protocol: NewProtocolOption = None,
    backend: BackendOption = None,
    description: DescriptionOption = None,
    metadata: MetadataOption = None,
    from_snapshot: FromSnapshotOption = None,
    share_id: IdOption = None,
    public: PublicOption = False,
    availability_zone: ZoneOption = None,
    share_type: TypeOption = None,
    network: NetworkOption = None,
    same_host: SameHostOption = None,
    different_host: DifferentHostOption = None,
    file: FromOption = None,
    batch_id: BatchIdOption = None,
    no_wait: NoWaitOption = False,
    timeout: TimeoutOption = 300.0,
    command_id: CommandIdOption = None,
) -> None:
    """Create a share on a pool that the scheduler chooses, or one for each line of a file.

    The request is recorded before the backend starts, so the share is created even if every
    process is killed meanwhile.
    """
    given = {
        **{"size": size, "name": name, "protocol": protocol, "backend": backend},
        **{"description": description, "metadata": metadata, "id": share_id, "type": share_type},
        **{"from_snapshot": from_snapshot, "public": public, "network": network},
        **{"availability_zone": availability_zone},
        **{"same_host": same_host, "different_host": different_host},
    }
    batch.check_options(
        session, file, batch_id, **_as_options(given), **{"--command-id": command_id}
    )
    if file is not None:
        batch.run(session, file, CREATIONS, batch_id, outcome_timeout(no_wait, timeout))
        return
    given["size"] = share_size(batch.required(session, "--size", size))
    fields = _fields(session, given)
    share = session.system.create_share(wait=False, command_id=command_id, **fields)
    print_outcome(session, share, outcome_timeout(no_wait, timeout), "created")


def _as_options(given: Mapping[str, Any]) -> dict[str, Any]:
    """*given* by the names of the options."""
    return {f"--{name.replace('_', '-')}": value for name, value in given.items()}


_FIELDS = {
    "id": "share_id",
    "type": "share_type",
    "from_snapshot": "snapshot_id",
    "public": "is_public",
    "network": "share_network_id",
}
"""The options whose field has another name."""


def _fields(session: Session, given: Mapping[str, Any]) -> dict[str, Any]:
    """The keyword arguments of `create_share` for the options that are *given*."""
    fields = {_FIELDS.get(name, name): value for name, value in given.items()}
    fields["metadata"] = parse_pairs(given["metadata"], "metadata")
    if given["network"] is not None:
        fields["share_network_id"] = session.system.networks.get(given["network"]).id
    for name in ("same_host", "different_host"):
        fields[name] = tuple(given[name] or ())
    return set_fields(**fields)
