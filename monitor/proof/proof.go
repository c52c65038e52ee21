// Package proof writes down why a station called a server off, in one signed
// file that others can check without the station.
//
// A file is a statement and a signature:
//
//	{
//	  "type": "truechimer proof",
//	  "version": 1,
//	  ...
//	}
//	{"key":"<64 hex digits>","signature":"<128 hex digits>"}
//
// The statement is every byte before the last line; the signature is Ed25519's
// (RFC 8032) over just these bytes. So it is checked before anything of the
// statement is read, nothing has to be written anew in some canonical way to do
// so, and a person can read the file as it is. Both parts are JSON: a reader of
// JSON streams, as jq, takes the file.
//
// On top of that a statement is refused unless it is, byte for byte, what this
// package would write for its content. That leaves nothing for two readers to
// understand differently: no member twice, none in another case, none that is
// not known. A later version of the format says so in its number, and a reader
// that does not know the number says that.
//
// What a statement holds is what cannot be derived. The verdict is: Judge reads
// the packets again as package probe does and judges them again with the code
// of package monitor.
//
// Where to look: statement.go is what a file says, envelope.go the signature,
// judge.go what one file proves, agree.go what several do, collect.go how a
// station gathers what goes into one.
package proof

// Type and Version say what a statement is.
const (
	Type    = "truechimer proof"
	Version = 1
)

const (
	// MaxSize is how long a file may be, bytes.
	MaxSize = 64 << 10
	// MaxExchanges is how many exchanges a file holds at the most; it takes
	// three to prove anything.
	MaxExchanges = 16
	// maxText is how long a name, word or sentence of a statement may be, bytes.
	maxText = 512
)
