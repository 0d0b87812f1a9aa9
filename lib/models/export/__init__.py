"""The networks in operators that every inference engine has."""
