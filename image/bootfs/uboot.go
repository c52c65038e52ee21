package bootfs

// U-Boot has no pointer file that it can write. What it boots stands in three
// raw sectors of the state partition, which a boot script can read, compare and
// write. Each is SectorSize bytes: four of a magic, then a letter, then zeros.
//
//	committed  "TCB1" and 'a' or 'b', two copies. The first counts if it is
//	           valid, else the second if that is, else slot a: a card that was
//	           never written boots a.
//	try        "TCT1" and 'a' or 'b': the script writes '-' for the letter,
//	           and only then boots that slot. Anything else tries nothing.
//
// Once written, old and new content differ in one byte, so a torn sector is the
// old or the new one. In a sector that was blank a torn write leaves the magic
// without a letter, or less, which is not valid: the other copy counts, or nothing
// is tried, as before. So 'valid' is the magic and one of its letters, nothing less.
const (
	CommittedSector1 = 7 * kindDistance                // bytes from the beginning of the partition
	CommittedSector2 = CommittedSector1 + copyDistance // in another erase block
	TrySector        = CommittedSector1 + 64<<10

	CommittedMagic = "TCB1"
	TryMagic       = "TCT1"
	TryNothing     = '-'
	LetterAt       = len(CommittedMagic) // where a sector has its letter
)
