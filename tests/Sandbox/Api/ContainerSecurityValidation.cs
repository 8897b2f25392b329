using System;
using System.Collections.Generic;
using System.Linq;
using System.Text.Json.Nodes;
using PyDebug.Sandbox.Json;

namespace PyDebug.Sandbox.Api;

/// <summary>The rules for a container's security context.</summary>
internal static class ContainerSecurityValidation
{
    public static void Validate(JsonObject? context, string path, List<FieldError> errors)
    {
        foreach (string field in (string[])["runAsUser", "runAsGroup"])
        {
            if (context.Number(field) is long id and (< 0 or > int.MaxValue))
            {
                errors.Add(FieldError.Invalid(
                    $"{path}.{field}", id.ToString(), "must be between 0 and 2147483647, inclusive"));
            }
        }

        if (context.Flag("allowPrivilegeEscalation") == false)
        {
            if (context.Flag("privileged") == true)
            {
                errors.Add(FieldError.Invalid(
                    path, "{}", "cannot set `allowPrivilegeEscalation` to false and `privileged` to true"));
            }

            if (context.Texts("capabilities", "add").Contains("CAP_SYS_ADMIN"))
            {
                errors.Add(FieldError.Invalid(path, "{}",
                    "cannot set `allowPrivilegeEscalation` to false and `capabilities.Add` CAP_SYS_ADMIN"));
            }
        }

        if (context.Object("seccompProfile") is JsonObject profile)
        {
            string type = profile.Text("type") ?? "";
            if (type.Length == 0)
            {
                errors.Add(FieldError.Required(
                    path + ".seccompProfile.type", "type is required when seccompProfile is set"));
            }
            else if (type is not ("Localhost" or "RuntimeDefault" or "Unconfined"))
            {
                errors.Add(FieldError.NotSupported(
                    path + ".seccompProfile.type", type, "Localhost", "RuntimeDefault", "Unconfined"));
            }
        }
    }
}
