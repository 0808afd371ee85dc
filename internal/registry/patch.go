package registry

import "maps"

// mergePatch applies a JSON Merge Patch (RFC 7396): an object's members replace those of the target, null removes one, and
// anything but an object replaces the target whole. It changes neither argument; the result may share parts with both.
func mergePatch(target, patch any) any {
	p, ok := patch.(map[string]any)
	if !ok {
		return patch
	}
	t, _ := target.(map[string]any)
	out := make(map[string]any, len(t)+len(p))
	maps.Copy(out, t)
	for k, v := range p {
		if v == nil {
			delete(out, k)
		} else {
			out[k] = mergePatch(out[k], v)
		}
	}
	return out
}
