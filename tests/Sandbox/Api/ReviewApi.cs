using System.Linq;
using System.Text.Json.Nodes;
using System.Threading.Tasks;
using PyDebug.Sandbox.Json;

namespace PyDebug.Sandbox.Api;

/// <summary>SelfSubjectAccessReview and SelfSubjectReview.</summary>
internal static class ReviewApi
{
    public static async Task CreateAsync(ApiRequest request, User user)
    {
        JsonObject review = await request.ReadAsync().ConfigureAwait(false);
        if (request.Resource == "selfsubjectreviews")
        {
            review["status"] = new JsonObject
            {
                ["userInfo"] = new JsonObject
                {
                    ["username"] = user.Name,
                    ["groups"] = JsonAccess.ToArray(["system:authenticated"]),
                },
            };
        }
        else
        {
            review["status"] = Decide(review, user);
        }

        await request.WriteAsync(review, 201).ConfigureAwait(false);
    }

    private static JsonObject Decide(JsonObject review, User user)
    {
        if (review.Object("spec", "resourceAttributes") is not JsonObject attributes)
        {
            return new JsonObject { ["allowed"] = review.Object("spec", "nonResourceAttributes") is not null };
        }

        string resource = attributes.Text("resource") ?? "";
        if (attributes.Text("subresource") is { Length: > 0 } subresource)
        {
            resource += "/" + subresource;
        }

        return new JsonObject
        {
            ["allowed"] = user.May(attributes.Text("verb") ?? "", resource, attributes.Text("namespace") ?? ""),
        };
    }
}
