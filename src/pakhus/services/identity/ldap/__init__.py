"""People of LDAP servers and Active Directory."""
