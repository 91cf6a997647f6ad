"""A client of directories: the part of LDAP version 3 (RFC 4511) that finding people and checking passwords needs."""
