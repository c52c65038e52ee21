package settings

import (
	"net/http"
	"strings"
)

const pathReset = Path + "/reset"

// resetWord is what has to be typed, so that no slip of a finger does it.
const resetWord = "reset"

// reset has the station forget everything.
func (p *Pages) reset(w http.ResponseWriter, r *http.Request) {
	show := func(code int, problems []string) {
		p.show(w, r, code, "reset", view{Title: "Factory reset", Problems: problems})
	}
	if !posted(r) {
		show(http.StatusOK, nil)
		return
	}
	if !strings.EqualFold(strings.TrimSpace(r.PostForm.Get("word")), resetWord) {
		show(http.StatusUnprocessableEntity, []string{"Nothing was done: type the word " + resetWord + "."})
		return
	}
	if err := p.o.Station.Reset(); err != nil {
		show(http.StatusConflict, problems(err))
		return
	}
	p.o.Log.Warn("a reset was asked for", "by", r.RemoteAddr)
	p.show(w, r, http.StatusOK, "forgetting", view{Title: "The station starts anew"})
}
