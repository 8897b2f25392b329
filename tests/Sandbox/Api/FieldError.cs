namespace PyDebug.Sandbox.Api;

/// <summary>What is wrong with one field, worded as the API server's validation does.</summary>
/// <param name="Field">Path, such as <c>spec.ephemeralContainers[0].name</c>.</param>
/// <param name="Type">The cause's reason, such as <c>FieldValueInvalid</c>.</param>
/// <param name="Body">The sentence without the path.</param>
internal sealed record FieldError(string Field, string Type, string Body)
{
    public static FieldError Required(string field, string why = "") =>
        new(field, "FieldValueRequired", why.Length == 0 ? "Required value" : "Required value: " + why);

    public static FieldError Invalid(string field, string value, string why) =>
        new(field, "FieldValueInvalid", $"Invalid value: {value}: {why}");

    public static FieldError InvalidText(string field, string value, string why) =>
        Invalid(field, "\"" + value + "\"", why);

    public static FieldError Duplicate(string field, string value) =>
        new(field, "FieldValueDuplicate", $"Duplicate value: \"{value}\"");

    public static FieldError NotFound(string field, string value) =>
        new(field, "FieldValueNotFound", $"Not found: \"{value}\"");

    public static FieldError Forbidden(string field, string why) =>
        new(field, "FieldValueForbidden", "Forbidden: " + why);

    public static FieldError NotSupported(string field, string value, params string[] supported) =>
        new(field, "FieldValueNotSupported",
            $"Unsupported value: \"{value}\": supported values: \"{string.Join("\", \"", supported)}\"");

    public override string ToString() => $"{Field}: {Body}";
}
