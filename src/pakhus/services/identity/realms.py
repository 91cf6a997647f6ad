"""The realms of this server: which there are, which are active, and asking them in their order."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pakhus.database import accounts, values
from pakhus.database.transaction import Database
from pakhus.domain.errors import Invalid, Unauthenticated, Unavailable
from pakhus.services.identity.realm import LOCAL, SERVICE, WRONG, Directory, Door, Identity, Realm

KEY = "realms"
AUTHENTICATING = "NexusAuthenticatingRealm"
AUTHORIZING = "NexusAuthorizingRealm"
REMOTE_USER = "rutauth-realm"


class WrongPassword(Unauthenticated):
    """The realm knows the user, and this is not the password. Nobody is told which of the two was wrong."""

    def __init__(self) -> None:
        super().__init__(WRONG)


class CannotTell(Unavailable):
    """No active realm accepted the credential, and one could not be asked. `guessed`: another one refused it."""

    def __init__(self, message: str, *, guessed: bool) -> None:
        super().__init__(message)
        self.guessed = guessed


class AuthorizingRealm(Realm):
    """Gives users the roles that were assigned here. It authenticates nobody, and roles are given without it too."""

    id = AUTHORIZING
    name = "Local Authorizing Realm"


class RemoteUserRealm(Realm):
    """Whom a trusted proxy names in a header (`auth.remote_user_header`)."""

    id = REMOTE_USER
    name = "Rut Auth Realm"


class Realms:
    """In the order of `register`, unless an administrator chose and ordered them."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._available: dict[str, Realm] = {}
        self._always: list[Realm] = []
        self._unasked: set[str] = set()
        self._active: tuple[Realm, ...] = ()
        self._generation = -1

    def always(self, realm: Realm) -> None:
        """Ask this one first, whatever an administrator chooses; it is not among those that are shown."""
        self._always.append(realm)

    def register(self, realm: Realm, *, active: bool = True) -> None:
        """Make a realm available. `active`: it is so on a server whose administrator never chose."""
        self._available[realm.id] = realm
        self._generation = -1
        if not active:
            self._unasked.add(realm.id)

    @property
    def available(self) -> Sequence[Realm]:
        return list(self._available.values())

    async def active(self) -> Sequence[Realm]:
        """Those that authenticate, in the order in which they are asked."""
        generation = self._database.generation.configuration
        if generation != self._generation:
            kept: list[str] | None = await self._database.read(values.get, KEY)
            ids = [each for each in self._available if each not in self._unasked] if kept is None else kept
            self._active = tuple(self._available[each] for each in ids if each in self._available)
            self._generation = generation
        return self._active

    async def choose(self, wanted: Sequence[str]) -> None:
        """These realms, in this order, and no other."""
        unknown = [each for each in wanted if each not in self._available]
        if unknown:
            raise Invalid(f"Unknown realmIds: [{', '.join(unknown)}]")
        await self._database.write(values.put, KEY, list(dict.fromkeys(wanted)))

    async def sources(self) -> Sequence[Realm]:
        """One realm for each source of users, whether it is active or not."""
        return [each for realm in self._available.values() for each in await realm.sources()]

    async def of(self, source: str) -> Realm | None:
        """The active realm whose users are of this source."""
        sources = [each for realm in await self.active() for each in await realm.sources()]
        return next((each for each in sources if each.source == source), None)

    async def admits(self, source: str) -> bool:
        """May users of this source come in by something else than their realm, a token say?"""
        return source in (LOCAL, SERVICE) or await self.of(source) is not None

    async def takes_tokens_of(self, format: str) -> bool:
        """Is a realm for tokens of this format active?"""
        return any(each.format == format for each in await self.active())

    # -- asking ----------------------------------------------------------------------------------------------------

    async def by_password(self, username: str, password: str, door: Door) -> Identity:
        """Raises `Unauthenticated`; `CannotTell` if a realm that might know is out of reach."""
        refusals: list[Unauthenticated | Unavailable] = []
        for realm in (*self._always, *await self.active()):
            if not realm.takes(password):
                continue
            try:
                found = await realm.by_password(username, password, door)
            except (Unauthenticated, Unavailable) as error:
                refusals.append(error)
            else:
                if found is not None:
                    return found
        raise _worst(refusals)

    async def by_bearer(self, token: str, door: Door) -> Identity:
        refusals: list[Unauthenticated | Unavailable] = []
        for realm in (*self._always, *await self.active()):
            try:
                found = await realm.by_bearer(token, door)
            except (Unauthenticated, Unavailable) as error:
                refusals.append(error)
            else:
                if found is not None:
                    return found
        raise _worst(refusals)

    async def by_remote_user(self, username: str) -> Identity:
        """Somebody whom a trusted proxy vouches for: a local user, else the first that a directory knows."""
        active = await self.active()
        if not any(each.id == REMOTE_USER for each in active):
            raise Unauthenticated("users named by a proxy are not accepted here")
        if await self._database.read(accounts.user, username) is not None:
            return Identity(username)
        for realm in active:
            if isinstance(realm, Directory) and (found := await realm.find(username)) is not None:
                return found
        raise Unauthenticated(f"the proxy names '{username}', whom nobody knows here")


def _worst(refusals: Iterable[Unauthenticated | Unavailable]) -> Unauthenticated | Unavailable:
    """What to tell: that somebody could not be asked, else the most telling reason."""
    refusals = list(refusals)
    down = next((each for each in refusals if isinstance(each, Unavailable)), None)
    if down is not None:
        return CannotTell(down.message, guessed=any(isinstance(each, WrongPassword) for each in refusals))
    told = next((each for each in refusals if not isinstance(each, WrongPassword)), None)
    return told or Unauthenticated(WRONG)
