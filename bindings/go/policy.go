package us3

// Put policies.

// #include "bridge.h"
import "C"

// BuildPolicy builds a put policy for the upload calls. US3 sends body to url: with a bodyType, such as
// "application/json", as a POST's body, without as the query of the URL. $(x:name) in body stands for vars["x:name"].
func BuildPolicy(url, body, bodyType string, vars map[string]string) (string, error) {
	var texts cStrings
	defer texts.free()
	cURL, cBody, cBodyType := texts.of("url", url), texts.of("body", body), texts.of("bodyType", bodyType)
	cVars, varsLen := texts.pairs("vars", vars)
	if texts.err != nil {
		return "", texts.err
	}
	result := C.us3_go_result()
	policy := C.us3_policy_build(cURL, cBody, cBodyType, cVars, varsLen, &result)
	defer C.us3_string_free(policy)
	_, err := take(&result)
	return C.GoString(policy), err
}

// CheckPolicy checks a put policy as the uploads do before they send anything. The error's message says what is wrong
// where.
func CheckPolicy(policy string) error {
	var texts cStrings
	defer texts.free()
	json := texts.of("policy", policy)
	if texts.err != nil {
		return texts.err
	}
	result := C.us3_go_result()
	C.us3_policy_check(json, &result)
	_, err := take(&result)
	return err
}
