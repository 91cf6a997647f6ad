"""An OpenLDAP server of the test's own, on free ports of the loopback interface, with some people and groups."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import pytest

from tests.clients.server import free_port
from tests.clients.tls import certificate

SUFFIX = "dc=example,dc=org"
ADMIN = f"cn=admin,{SUFFIX}"
PASSWORD = "directory-secret"
READY_WITHIN = 30.0
HOST = "127.0.0.1"

CONFIGURATION = """
include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/nis.schema
include /etc/ldap/schema/inetorgperson.schema
modulepath {modules}
moduleload back_mdb
moduleload memberof
pidfile {folder}/slapd.pid
TLSCertificateFile {chain}
TLSCertificateKeyFile {key}
password-hash {{CLEARTEXT}}
sasl-secprops none
authz-regexp uid=([^,]*),cn=[^,]*,cn=auth uid=$1,ou=people,{suffix}
authz-regexp uid=([^,]*),cn=[^,]*,cn=[^,]*,cn=auth uid=$1,ou=people,{suffix}
database mdb
suffix "{suffix}"
rootdn "{admin}"
rootpw {password}
directory {folder}/data
maxsize 67108864
overlay memberof
memberof-group-oc groupOfUniqueNames
memberof-member-ad uniqueMember
access to attrs=userPassword by anonymous auth by self write by dn.base="uid=searcher,ou=people,{suffix}" read by * none
access to * by * read
"""

PEOPLE = f"""
dn: {SUFFIX}
objectClass: dcObject
objectClass: organization
o: Example
dc: example

dn: ou=people,{SUFFIX}
objectClass: organizationalUnit
ou: people

dn: ou=abroad,ou=people,{SUFFIX}
objectClass: organizationalUnit
ou: abroad

dn: ou=groups,{SUFFIX}
objectClass: organizationalUnit
ou: groups

dn: uid=searcher,ou=people,{SUFFIX}
objectClass: account
objectClass: simpleSecurityObject
uid: searcher
userPassword: {PASSWORD}
"""


@dataclass(frozen=True)
class Person:
    uid: str
    password: str
    name: str = "Some Body"
    where: str = "ou=people"
    department: str = "build"

    @property
    def dn(self) -> str:
        return f"uid={self.uid},{self.where},{SUFFIX}"


ADA = Person("ada", "adas-own-password", "Ada Lovelace")
BOB = Person("bob", "bobs-own-password", "Bob Builder", department="sales")
EVE = Person("eve", "eves-own-password", "Eve Elsewhere", "ou=abroad,ou=people")
GROUPS = {"developers": (ADA, EVE), "deployers": (ADA,)}


class Slapd:
    """The server: `ldap` and `ldaps` are ports, `chain` is what a client has to trust."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ldap, self.ldaps = free_port(), free_port()
        self.chain, key = certificate(folder)
        (folder / "data").mkdir()
        self._config = folder / "slapd.conf"
        self._config.write_text(
            CONFIGURATION.format(
                modules=modules(),
                folder=folder,
                chain=self.chain,
                key=key,
                suffix=SUFFIX,
                admin=ADMIN,
                password=PASSWORD,
            )
        )
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> Self:
        urls = f"ldap://{HOST}:{self.ldap} ldaps://{HOST}:{self.ldaps}"
        with (self.folder / "log").open("ab") as log:
            command = [needed(), "-f", str(self._config), "-h", urls, "-d", "stats"]
            self._process = subprocess.Popen(command, stdout=log, stderr=log)
        deadline = time.monotonic() + READY_WITHIN
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                break
            if self._call("ldapwhoami").returncode == 0:
                return self
            time.sleep(0.05)
        raise AssertionError(f"slapd did not start:\n{self.said()}")

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(10)

    def said(self) -> str:
        return (self.folder / "log").read_text(errors="replace")

    def binds_of(self, person: Person) -> int:
        """How often somebody tried to bind as that person."""
        return self.said().count(f'BIND dn="{person.dn}" method=')

    def fill(self) -> None:
        text = PEOPLE
        for person in (ADA, BOB, EVE):
            text += "\n" + entry(person)
        for number, (name, members) in enumerate(GROUPS.items()):
            text += f"\ndn: cn={name},ou=groups,{SUFFIX}\nobjectClass: groupOfUniqueNames\ncn: {name}\n"
            text += "".join(f"uniqueMember: {each.dn}\n" for each in members)
            text += f"\ndn: cn=posix-{name},ou=groups,{SUFFIX}\nobjectClass: posixGroup\ncn: posix-{name}\n"
            text += f"gidNumber: {1000 + number}\n" + "".join(f"memberUid: {each.uid}\n" for each in members)
        self.apply("ldapadd", text)

    def add(self, person: Person) -> None:
        self.apply("ldapadd", entry(person))

    def remove(self, person: Person) -> None:
        done = self._call("ldapdelete", person.dn)
        assert done.returncode == 0, done.stderr

    def apply(self, program: str, ldif: str) -> None:
        done = self._call(program, stdin=ldif)
        assert done.returncode == 0, done.stderr

    def _call(self, program: str, *args: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        command = [program, "-x", "-H", f"ldap://{HOST}:{self.ldap}", "-D", ADMIN, "-w", PASSWORD, *args]
        return subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=30)

    def settings(self, **changed: Any) -> dict[str, Any]:
        """What the REST API takes for it: people below `ou=people`, static groups."""
        return {
            "name": "corp",
            "protocol": "LDAP",
            "host": HOST,
            "port": self.ldap,
            "searchBase": SUFFIX,
            "authScheme": "SIMPLE",
            "authUsername": f"uid=searcher,ou=people,{SUFFIX}",
            "authPassword": PASSWORD,
            "connectionTimeoutSeconds": 5,
            "connectionRetryDelaySeconds": 300,
            "maxIncidentsCount": 3,
            "userBaseDn": "ou=people",
            "userSubtree": True,
            "userObjectClass": "inetOrgPerson",
            "userIdAttribute": "uid",
            "userRealNameAttribute": "cn",
            "userEmailAddressAttribute": "mail",
            "ldapGroupsAsRoles": True,
            "groupType": "static",
            "groupBaseDn": "ou=groups",
            "groupObjectClass": "groupOfUniqueNames",
            "groupIdAttribute": "cn",
            "groupMemberAttribute": "uniqueMember",
            "groupMemberFormat": "${dn}",
            **changed,
        }


def entry(person: Person) -> str:
    return (
        f"dn: {person.dn}\nobjectClass: inetOrgPerson\nuid: {person.uid}\ncn: {person.name}\n"
        f"sn: {person.name.split()[-1]}\nmail: {person.uid}@example.org\ndepartmentNumber: {person.department}\n"
        f"userPassword: {person.password}\n"
    )


def modules() -> str:
    return "/usr/lib/ldap"


def needed() -> str:
    """The program, or an end of the test: a failure where CI promises that it is there."""
    found = shutil.which("slapd") or shutil.which("slapd", path="/usr/sbin")
    if found is None or shutil.which("ldapadd") is None:
        reason = "OpenLDAP is not installed (Debian: slapd ldap-utils libsasl2-modules)"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return found


@contextmanager
def running() -> Iterator[Slapd]:
    needed()
    made = tempfile.TemporaryDirectory(prefix="pakhus-slapd-", ignore_cleanup_errors=True)
    with made as folder:
        server = Slapd(Path(folder)).start()
        try:
            server.fill()
            yield server
        finally:
            server.stop()
