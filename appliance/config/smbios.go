package config

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"unicode"
)

// TablePath is where Linux shows the table of SMBIOS structures.
const TablePath = "/sys/firmware/dmi/tables/DMI"

// MaxTable bounds the table, bytes: the largest file in Base64 and as much
// again for all else.
const MaxTable = 256 << 10

// The kinds of structures, SMBIOS 3.7 (DMTF DSP0134) sections 7.12 and 7.45.
const (
	oemStrings = 11
	endOfTable = 127
)

// How systemd names what a host gives its guest, systemd.system-credentials(7).
const (
	credentialText   = "io.systemd.credential:" + FileName + "="
	credentialBase64 = "io.systemd.credential.binary:" + FileName + "="
)

// Credential looks for the truechimer.toml that the host of a virtual machine
// gave it: an OEM string in the SMBIOS table that is the systemd credential of
// that name, as text or in Base64. Where there are several the first holds;
// nil: there is none.
//
// The error says what is wrong with the table or the credential.
func Credential(table []byte) ([]byte, error) {
	if len(table) > MaxTable {
		return nil, fmt.Errorf("the SMBIOS table has more than %d bytes; shorten what the host gives", MaxTable)
	}
	for len(table) > 0 {
		// Section 6.1.2: type, length of this part, handle; then the strings.
		if len(table) < 4 || table[1] < 4 || int(table[1]) > len(table) {
			return nil, errors.New("the SMBIOS table is damaged")
		}
		kind, rest := table[0], table[table[1]:]
		if kind == endOfTable {
			break
		}
		text, after, ended := bytes.Cut(rest, []byte{0, 0})
		if !ended {
			return nil, errors.New("the SMBIOS table is cut short") // and with it, perhaps, what we look for
		}
		table = after
		if kind != oemStrings {
			continue
		}
		for s := range bytes.SplitSeq(text, []byte{0}) {
			if b, ok := bytes.CutPrefix(s, []byte(credentialText)); ok {
				return append([]byte{}, b...), nil
			}
			if b, ok := bytes.CutPrefix(s, []byte(credentialBase64)); ok {
				return decodeBase64(string(b))
			}
		}
	}
	return nil, nil
}

// decodeBase64 is as lenient as systemd: blanks and missing padding do not matter.
func decodeBase64(s string) ([]byte, error) {
	s = strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) {
			return -1
		}
		return r
	}, s)
	b, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(s, "="))
	if err != nil {
		return nil, fmt.Errorf("the credential %s in the SMBIOS table is not Base64 (%w); make it with base64 -w0 %s", FileName, err, FileName)
	}
	return b, nil
}
