package x500

import (
	"encoding/asn1"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// attribute is one AttributeTypeAndValue.
type attribute struct {
	Type  asn1.ObjectIdentifier
	Value asn1.RawValue
}

// rdnSET is a relative name; package asn1 knows by the suffix that it is a SET.
type rdnSET []attribute

// keywords are the types that RFC 2253 gives a name; all others are printed as
// numbers.
var keywords = map[string]string{
	"2.5.4.3": "CN", "2.5.4.6": "C", "2.5.4.7": "L", "2.5.4.8": "ST", "2.5.4.9": "STREET",
	"2.5.4.10": "O", "2.5.4.11": "OU",
	"0.9.2342.19200300.100.1.25": "DC", "0.9.2342.19200300.100.1.1": "UID",
}

// String prints a name from its DER form, such as the RawSubject of a certificate:
// the last relative name first, the attributes of each in the order in which they
// are encoded. A name without attributes is the empty text.
func String(der []byte) (string, error) {
	var names []rdnSET
	rest, err := asn1.Unmarshal(der, &names)
	if err == nil && len(rest) > 0 {
		err = errors.New("bytes behind it")
	}
	if err != nil {
		return "", fmt.Errorf("distinguished name: %w", err)
	}
	var parts []string
	for _, name := range slices.Backward(names) {
		var values []string
		for _, a := range name {
			values = append(values, a.String())
		}
		parts = append(parts, strings.Join(values, "+"))
	}
	return strings.Join(parts, ","), nil
}

// String prints a value in hex if its type has no keyword, or it is no text.
func (a attribute) String() string {
	oid := a.Type.String()
	keyword, known := keywords[oid]
	if !known {
		return oid + "=#" + hex.EncodeToString(a.Value.FullBytes)
	}
	if !isText(a.Value) {
		return keyword + "=#" + hex.EncodeToString(a.Value.FullBytes)
	}
	return keyword + "=" + escape(a.Value.Bytes)
}

// isText reports whether Java prints a value as text. That of a BMPString is not
// what its bytes mean, but it is what Java prints.
func isText(v asn1.RawValue) bool {
	if v.Class != asn1.ClassUniversal || v.IsCompound {
		return false
	}
	switch v.Tag {
	case asn1.TagPrintableString, asn1.TagT61String, asn1.TagIA5String, asn1.TagGeneralString,
		asn1.TagBMPString, asn1.TagUTF8String:
		return true
	}
	return false
}

// escape protects what has a meaning in a name, and spaces at the ends. The '='
// need not be, but Java does it.
func escape(value []byte) string {
	text := strings.ToValidUTF8(string(value), "\ufffd")
	begin := len(text) - len(strings.TrimLeft(text, " \r"))
	end := len(strings.TrimRight(text, " \r"))
	var b strings.Builder
	for i, r := range text {
		switch {
		case strings.ContainsRune(`,=+<>#;"\`, r), i < begin, i >= end:
			b.WriteByte('\\')
			b.WriteRune(r)
		case r == 0:
			b.WriteString(`\00`)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}
