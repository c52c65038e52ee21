package main

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"golang.org/x/term"
)

// passphraseVar names a file with a passphrase, where no person can be asked.
const passphraseVar = "TRUECHIMER_PASSPHRASE_FILE"

// askPassphrase asks for what opens a key: the file of passphraseVar, else a
// person. A new passphrase is asked for twice.
func askPassphrase(where string, fresh bool) (string, error) {
	if name := os.Getenv(passphraseVar); name != "" {
		b, err := os.ReadFile(name)
		if err != nil {
			return "", fmt.Errorf("%s: %w", passphraseVar, err)
		}
		return strings.TrimRight(string(b), "\r\n"), nil
	}
	in := int(os.Stdin.Fd())
	if !term.IsTerminal(in) {
		return "", fmt.Errorf("%s: its passphrase is needed, and there is no terminal: write it into a file and name that in %s", where, passphraseVar)
	}
	one, err := readHidden(in, "passphrase for "+where+": ")
	if err != nil || !fresh {
		return one, err
	}
	again, err := readHidden(in, "the same again: ")
	if err != nil {
		return "", err
	}
	if one != again {
		return "", errors.New("these are two passphrases; nothing was written, try again")
	}
	return one, nil
}

func readHidden(in int, prompt string) (string, error) {
	fmt.Fprint(os.Stderr, prompt)
	b, err := term.ReadPassword(in)
	fmt.Fprintln(os.Stderr)
	return string(b), err
}
