"""Plumbing that knows no physics. Nothing here uses anything else of the package.

`precision` refuses single precision; `cache` says where compiled programs are kept, and `persistent_jit` keeps them;
`minimum` finds the first minimum of an array fast; `nearest` guesses what a misspelt name was meant to be; `textfile`
reads files that a user names; `compression` is that of Zarr arrays; `threads` does one thing while another goes on;
`lazy` imports the names of a package when they are first used. Modules are imported from here, not names.
"""
