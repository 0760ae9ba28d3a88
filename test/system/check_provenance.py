"""CRATE: what others' validators and readers say of a crate and of the in-toto statements in it, as JSON."""

import json
import sys
from pathlib import Path

import requests
import rocrate.vocabs
from google.protobuf import json_format
from in_toto_attestation.predicates.provenance.v1 import provenance_pb2
from in_toto_attestation.v1 import statement_pb2
from in_toto_attestation.v1.resource_descriptor import ResourceDescriptor
from in_toto_attestation.v1.statement import Statement
from rocrate.rocrate import ROCrate
from rocrate_validator import models, services

CONTEXT = "https://w3id.org/ro/crate/1.1/context"
RECOMMENDED = models.Severity.RECOMMENDED


def packaged(_, request, **options):
    """The context as the package `rocrate` has it, of a later version with the same terms: nothing else is fetched."""
    assert request.url == CONTEXT, request.url
    response = requests.Response()
    response.status_code, response.url, response.request = 200, request.url, request
    response.headers["Content-Type"] = "application/ld+json"
    response._content = (Path(rocrate.vocabs.__file__).parent / "data" / "ro-crate.jsonld").read_bytes()
    return response


def issues(crate, profile):
    settings = services.ValidationSettings(
        rocrate_uri=crate, profile_identifier=profile, requirement_severity=RECOMMENDED, no_cache=True
    )
    found = services.validate(settings).get_issues(RECOMMENDED)
    return sorted({f"{issue.severity.name} {issue.check.identifier} {issue.message}" for issue in found})


def told(file):
    """A statement as its classes read it: they know each field, and refuse any other."""
    statement = json_format.Parse(file.read_text("utf8"), statement_pb2.Statement())
    Statement.copy_from_pb(statement).validate()
    predicate = json_format.ParseDict(json_format.MessageToDict(statement.predicate), provenance_pb2.Provenance())
    definition, details = predicate.build_definition, predicate.run_details
    for resource in [*definition.resolved_dependencies, *details.byproducts]:
        ResourceDescriptor.copy_from_pb(resource).validate()
    return {
        "predicateType": statement.predicate_type,
        "subjects": {subject.name: dict(subject.digest) for subject in statement.subject},
        "stage": definition.external_parameters["stage"],
        "reads": [resource.name for resource in definition.resolved_dependencies],
        "node": details.builder.version["node"],
        "took": details.metadata.finished_on.ToNanoseconds() > details.metadata.started_on.ToNanoseconds(),
    }


requests.adapters.HTTPAdapter.send = packaged
crate = Path(sys.argv[1])
read = ROCrate(crate)
actions = [entity for entity in read.contextual_entities if entity.type == "CreateAction"]
print(
    json.dumps(
        {
            "issues": issues(str(crate), "process-run-crate-0.5"),
            "statements": [told(file) for file in sorted((crate / "provenance").iterdir())],
            "files": sorted(entity.id for entity in read.data_entities),
            "actions": {action["name"]: action["result"].id for action in actions},
        }
    )
)
