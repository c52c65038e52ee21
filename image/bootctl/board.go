package bootctl

import (
	"github.com/truechimer/truechimer/boards"
	"github.com/truechimer/truechimer/image/bootfs"
)

// Pointers are a board's pointer files, by the slot that each of them points
// to on a fresh card. A board that U-Boot starts has none.
func Pointers(b boards.Board) map[bootfs.Slot]bootfs.Template {
	template := func(path string, body func(string) bootfs.Body) bootfs.Template {
		t := bootfs.Template{Path: path, Body: body(b.Config)}
		for _, f := range b.FormerConfigs {
			t.Former = append(t.Former, body(f))
		}
		return t
	}
	switch b.Loader {
	case boards.LoaderPi:
		return map[bootfs.Slot]bootfs.Template{
			bootfs.SlotA: template("config.txt", PiBody), bootfs.SlotB: template("tryboot.txt", PiBody),
		}
	case boards.LoaderUEFI:
		return map[bootfs.Slot]bootfs.Template{bootfs.SlotA: template("loader/loader.conf", SystemdBootBody)}
	}
	return nil
}

// ForBoard is Open for a board: boot is its boot file system, state its raw state.
func ForBoard(b boards.Board, running bootfs.Slot, boot, state bootfs.Device, vars Variables) (Control, error) {
	p := Pointers(b)
	parts := Parts{Boot: boot, State: state, Variables: vars}
	if b.Loader == boards.LoaderPi {
		parts.Config, parts.Tryboot = p[bootfs.SlotA], p[bootfs.SlotB]
	} else {
		parts.LoaderConf = p[bootfs.SlotA]
	}
	return Open(b.Loader, running, parts)
}
